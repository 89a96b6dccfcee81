# SPDX-License-Identifier: Apache-2.0
"""What an answer of Nova means."""

import json

import pytest

from manila_lite import exception
from manila_lite.compute import answers
from manila_lite.compute.answers import Answer


def fault(name, message):
    return json.dumps({name: {"code": 400, "message": message}})


def raised(answer):
    with pytest.raises(exception.ManilaException) as caught:
        answers.raise_for(answer)
    return caught.value


@pytest.mark.parametrize("status", [200, 202, 204])
def test_success_raises_nothing(status):
    answers.raise_for(Answer(status))


@pytest.mark.parametrize("status", [400, 409, 422])
def test_refusal_is_final_and_told_in_novas_words(status):
    error = raised(Answer(status, fault("badRequest", "Invalid volume: no   block\ndevice")))
    assert isinstance(error, exception.NovaRefused)
    assert str(error) == "Nova refused: Invalid volume: no block device"
    assert exception.classify(error) is exception.ErrorKind.FINAL


def test_explanation_is_of_bounded_length():
    error = raised(Answer(400, fault("badRequest", "long " * 1000)))
    assert len(str(error)) < 600


@pytest.mark.parametrize("text", ["", "<html>no</html>", "[]", "null", "[" * 5000, '{"x": 1}'])
def test_refusal_without_words_is_a_refusal(text):
    assert isinstance(raised(Answer(400, text)), exception.NovaRefused)


@pytest.mark.parametrize("status", [401, 403])
def test_user_that_is_not_let_in_is_a_matter_of_the_configuration(status):
    error = raised(Answer(status, fault("forbidden", "Policy doesn't allow it")))
    assert isinstance(error, exception.NovaMisconfigured)
    assert "[nova]" in str(error)
    assert "Policy doesn't allow it" in str(error)


def test_what_nova_does_not_find_is_a_refusal_and_an_unknown_path_a_wrong_end_point():
    assert isinstance(
        raised(Answer(404, fault("itemNotFound", "No instance"))), exception.NovaRefused
    )
    for text in ("404 page not found", '{"message": "no", "code": "404 Not Found"}'):
        error = raised(Answer(404, text))
        assert isinstance(error, exception.NovaMisconfigured)
        assert "end point" in str(error)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirection_is_not_followed(status):
    assert isinstance(raised(Answer(status)), exception.NovaMisconfigured)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_servers_own_trouble_leaves_the_request_in_doubt(status):
    error = raised(Answer(status, fault("computeFault", "Unexpected API Error")))
    assert isinstance(error, exception.NovaOutcomeUnknown)
    assert exception.classify(error) is exception.ErrorKind.IN_DOUBT


@pytest.mark.parametrize(
    ("status", "headers", "pause"),
    [
        (503, {"retry-after": "7"}, 7.0),
        (503, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, 0.0),
        (429, {"retry-after": "2"}, 2.0),
        (429, {}, 0.0),
    ],
)
def test_request_that_was_turned_away_was_not_begun(status, headers, pause):
    error = raised(Answer(status, "", headers))
    assert isinstance(error, exception.NovaUnavailable)
    assert exception.classify(error) is exception.ErrorKind.TRANSIENT
    assert answers.retry_after(error) == pause


def test_no_other_error_asks_for_a_pause():
    assert answers.retry_after(None) == 0.0
    assert answers.retry_after(exception.NovaRefused(reason="no")) == 0.0


def test_member_of_a_body_that_is_none_is_empty():
    assert answers.member('{"snapshot": {"id": 1}}', "snapshot") == {"id": 1}
    for text in ("", "x", '{"snapshot": null}', '{"other": {}}'):
        assert answers.member(text, "snapshot") == {}
