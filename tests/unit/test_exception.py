# SPDX-License-Identifier: Apache-2.0
"""Exceptions: their messages, and what they mean for an operation."""

import errno
import inspect
import logging
import string

import pytest
from oslo_concurrency import processutils

from manila_lite import exception
from manila_lite.exception import ErrorKind, classify

FINAL, TRANSIENT, IN_DOUBT = ErrorKind.FINAL, ErrorKind.TRANSIENT, ErrorKind.IN_DOUBT

CLASSES = sorted(
    (
        cls
        for _, cls in inspect.getmembers(exception, inspect.isclass)
        if issubclass(cls, exception.ManilaException)
    ),
    key=lambda cls: cls.__name__,
)


class _Anything(dict):
    def __missing__(self, key):
        return f"<{key}>"


def named(name, *bases):
    """A third-party exception class, of which we know nothing but names."""
    return type(name, bases or (Exception,), {})


def raised(cls, *, cause=None, context=None):
    error = cls()
    error.__cause__, error.__context__ = cause, context
    return error


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (exception.InvalidParameterValue(err="too small"), "too small"),
        (exception.ShareBackendException(msg="down"), "Share back end error: down."),
        (exception.ShareBackendException("as it is"), "as it is"),
        (exception.InvalidShare(reason="It is gone."), "Invalid share: It is gone."),
        (exception.InvalidShare(reason="wait.."), "Invalid share: wait..."),
        (exception.QuotaError(), "Quota exceeded: code=413."),
        (exception.InvalidShare(reason=ValueError("x")), "Invalid share: x."),
        (exception.ManilaException(ValueError("inner")), "inner"),
        (exception.ShareResourceNotFound(share_id="s1", unused=1), None),
        (
            exception.ConfigurationError(section="a", option="b", value="c", reason="no d"),
            "[a] b = c: no d",
        ),
    ],
)
def test_message_comes_from_the_text_or_from_the_template(error, text):
    assert str(error) == error.msg
    if text is not None:
        assert str(error) == text


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_template_can_be_filled_by_name(cls):
    fields = cls.message % _Anything()
    assert "%(" not in fields
    assert not [part for part in string.Formatter().parse(cls.message) if part[1]]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_every_exception_can_be_raised_with_nothing_but_a_text(cls):
    assert str(cls("what happened")) == "what happened"


def test_missing_argument_leaves_the_template_and_warns(caplog):
    with caplog.at_level(logging.WARNING):
        error = exception.ShareResourceNotFound(id="s1")
    assert error.msg == exception.ShareResourceNotFound.message
    assert "share_id" in caplog.text


def test_keyword_arguments_are_kept_with_the_http_code():
    error = exception.ShareResourceNotFound(share_id="s1")
    assert error.kwargs == {"share_id": "s1", "code": 404}


def test_detail_data_is_kept_and_not_shared_between_exceptions():
    first = exception.ManilaException(detail_data={"server_details": {"ip": "10.0.0.1"}})
    first.detail_data["more"] = 1
    assert exception.ManilaException().detail_data == {}
    assert first.detail_data == {"server_details": {"ip": "10.0.0.1"}, "more": 1}


@pytest.mark.parametrize(
    ("name", "code", "base"),
    [
        ("NotFound", 404, "ManilaException"),
        ("Invalid", 400, "ManilaException"),
        ("InvalidInput", 400, "Invalid"),
        ("ShareNotFound", 404, "NotFound"),
        ("ShareResourceNotFound", 404, "StorageResourceNotFound"),
        ("ShareSnapshotResourceNotFound", 404, "SnapshotResourceNotFound"),
        ("ManageInvalidShare", 400, "InvalidShare"),
        ("ManageInvalidShareSnapshot", 400, "InvalidShareSnapshot"),
        ("ShareShrinkingPossibleDataLoss", 500, "ManilaException"),
        ("NetworkBadConfigurationException", 500, "NetworkException"),
        ("PortLimitExceeded", 413, "QuotaError"),
    ],
)
def test_classes_have_manilas_codes_and_bases(name, code, base):
    cls = getattr(exception, name)
    assert cls.code == code
    assert base in [ancestor.__name__ for ancestor in cls.__mro__]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        # Ours and Manila's.
        (exception.ManilaException(), FINAL),
        (exception.ShareShrinkingPossibleDataLoss(share_id="s"), FINAL),
        (exception.ShareBackendException(msg="no"), FINAL),
        (exception.ShareBackendFull(reason="full"), FINAL),
        (exception.BackendBusy(reason="rebuild"), TRANSIENT),
        (exception.BackendOutcomeUnknown(reason="cut off"), IN_DOUBT),
        (exception.CommandTimeout(cmd="x", timeout=1), IN_DOUBT),
        (exception.StorageCommunicationException(), IN_DOUBT),
        (exception.NovaUnavailable(reason="away"), TRANSIENT),
        (exception.NovaOutcomeUnknown(reason="cut off"), IN_DOUBT),
        (exception.NovaRefused(reason="no"), FINAL),
        (exception.NovaMisconfigured(reason="no user"), FINAL),
        # Python's.
        (NotImplementedError(), FINAL),
        (KeyError("id"), FINAL),
        (TimeoutError(), IN_DOUBT),
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), TRANSIENT),
        (ConnectionResetError(errno.ECONNRESET, "reset"), IN_DOUBT),
        (ConnectionResetError(), IN_DOUBT),
        (BrokenPipeError(errno.EPIPE, "pipe"), IN_DOUBT),
        (KeyboardInterrupt(), IN_DOUBT),
        (SystemExit(1), IN_DOUBT),
        (FileNotFoundError(errno.ENOENT, "gone"), FINAL),
        (PermissionError(errno.EACCES, "no"), FINAL),
        (OSError(errno.ENOSPC, "full"), FINAL),
        (OSError(errno.EDQUOT, "quota"), FINAL),
        (OSError(errno.EIO, "io"), TRANSIENT),
        (OSError(errno.ESTALE, "stale"), TRANSIENT),
        (BlockingIOError(errno.EAGAIN, "again"), TRANSIENT),
        (OSError(errno.ETIMEDOUT, "late"), IN_DOUBT),
        (OSError(errno.EHOSTUNREACH, "where"), TRANSIENT),
        (OSError(errno.EXDEV, "unlisted"), FINAL),
        (OSError("no number"), FINAL),
    ],
    ids=repr,
)
def test_known_exceptions_have_a_kind(error, kind):
    assert classify(error) is kind


@pytest.mark.parametrize(
    ("cls", "kind"),
    [
        (named("SomethingOfAVendor"), FINAL),
        (named("VendorBusy", named("BackendBusy")), TRANSIENT),
        (named("HSPTimeoutException", named("ManilaException")), IN_DOUBT),
        (named("EMCUnityError", named("ManilaException")), FINAL),
        (named("HNASSSCIsBusy", named("ManilaException")), TRANSIENT),
        (named("ConnectTimeout", named("ConnectionError", OSError), named("Timeout")), TRANSIENT),
        (named("ReadTimeout", named("Timeout", OSError)), IN_DOUBT),
        (named("ConnectionError", OSError), IN_DOUBT),
        (named("SSLError", named("ConnectionError", OSError)), FINAL),
        (named("NoValidConnectionsError", OSError), TRANSIENT),
        (named("AuthenticationException", named("SSHException")), FINAL),
        (named("DBDeadlock"), TRANSIENT),
        (named("MessagingTimeout"), IN_DOUBT),
        (named("VendorTimeoutError"), IN_DOUBT),
        (named("VendorTimedOut"), IN_DOUBT),
        (named("Dependent", named("JobTimeOut")), IN_DOUBT),
        (named("TimeoutConfigMissing"), FINAL),
        (named("Nearest", named("BackendBusy"), named("ReadTimeout")), TRANSIENT),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_third_party_exceptions_are_known_by_the_nearest_name(cls, kind):
    assert classify(cls()) is kind


@pytest.mark.parametrize(
    ("exit_code", "kind"),
    [
        ("-", FINAL),
        (1, FINAL),
        (127, FINAL),
        (-9, IN_DOUBT),
        (-1, IN_DOUBT),
        (124, IN_DOUBT),
        (137, IN_DOUBT),
        (143, IN_DOUBT),
    ],
)
def test_command_has_said_no_unless_it_was_stopped(exit_code, kind):
    assert classify(processutils.ProcessExecutionError(exit_code=exit_code)) is kind
    assert classify(exception.GaneshaCommandFailure(exit_code=exit_code)) is kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, FINAL), (404, FINAL), (409, FINAL), (429, TRANSIENT), (503, TRANSIENT)]
    + [(500, IN_DOUBT), (502, IN_DOUBT), (504, IN_DOUBT), (None, FINAL)],
)
def test_http_errors_mean_what_their_status_means(status, kind):
    by_response = named("HTTPError", OSError)()
    by_response.response = type("Response", (), {"status_code": status})()
    by_code = named("HTTPError", OSError)()
    by_code.code = status
    assert (classify(by_response), classify(by_code)) == (kind, kind)


@pytest.mark.parametrize("link", ["__cause__", "__context__", "reason", "args"])
def test_connection_that_never_stood_is_transient_wherever_the_cause_is_kept(link):
    error = named("ConnectionError", OSError)()
    wrapper = named("MaxRetryError")("too often")
    wrapper.reason = named("NewConnectionError")()
    setattr(error, link, (wrapper,) if link == "args" else wrapper)
    assert classify(error) is TRANSIENT


@pytest.mark.parametrize("name", ["ConnectTimeout", "ConnectFailure"])
@pytest.mark.parametrize(
    ("cause", "kind"),
    [
        (None, TRANSIENT),
        (named("NewConnectionError")(), TRANSIENT),
        (named("ReadTimeout")(), IN_DOUBT),
        (named("RemoteDisconnected")(), IN_DOUBT),
        (ConnectionResetError(104, "reset"), IN_DOUBT),
    ],
    ids=repr,
)
def test_failure_that_keystoneauth_lays_to_connecting_is_judged_by_its_cause(name, cause, kind):
    error = named(name, named("ConnectionError"))()
    error.__context__ = named("ConnectionError", OSError)(cause) if cause else None
    assert classify(error) is kind


def test_connection_that_was_cut_off_is_in_doubt():
    error = raised(named("ConnectionError", OSError), cause=ConnectionResetError(104, "reset"))
    assert classify(error) is IN_DOUBT


def test_causes_that_go_round_in_circles_end():
    error = named("ConnectionError", OSError)()
    error.__cause__ = ValueError()
    error.__cause__.__context__ = error
    assert classify(error) is IN_DOUBT


def test_cause_does_not_change_what_a_driver_chose_to_raise():
    error = raised(exception.ShareBackendException, cause=TimeoutError())
    assert classify(error) is FINAL


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ([OSError(errno.EIO, "a"), OSError(errno.EIO, "b")], TRANSIENT),
        ([OSError(errno.EIO, "a"), ValueError()], FINAL),
        ([ValueError(), TimeoutError()], IN_DOUBT),
        ([ExceptionGroup("inner", [TimeoutError()]), ValueError()], IN_DOUBT),
    ],
)
def test_group_is_as_bad_as_its_worst_member(members, kind):
    assert classify(ExceptionGroup("several", members)) is kind


def test_only_listed_names_of_ours_differ_from_final():
    own = {cls.__name__ for cls in CLASSES if classify(cls("x")) is not FINAL}
    assert own == {
        "BackendBusy",
        "BackendOutcomeUnknown",
        "CommandTimeout",
        "GlanceConnectionFailed",
        "ImageUploadInterrupted",
        "LockingFailed",
        "NetworkUnavailable",
        "NfsMountFailed",
        "NfsNoSharesMounted",
        "NovaOutcomeUnknown",
        "NovaUnavailable",
        "RemoteFSNoSharesMounted",
        "SSHException",
        "ShareBusyException",
        "ShareServerNotReady",
        "SnapshotUnavailable",
        "StorageCommunicationException",
        "VolumeIsBusy",
    }
