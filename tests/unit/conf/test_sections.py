# SPDX-License-Identifier: Apache-2.0
"""A section over [DEFAULT]: whose value counts."""

import pytest
from oslo_config import cfg, fixture

from manila_lite.conf.sections import Section


@pytest.fixture
def conf():
    conf = cfg.ConfigOpts()
    conf([])
    return conf


@pytest.fixture
def section(conf):
    section = Section(conf, "alpha")
    section.add(
        [
            cfg.StrOpt("colour", default="grey"),
            cfg.StrOpt("unset"),
            cfg.StrOpt("dir", default="/etc/x"),
            cfg.StrOpt("path", default="$dir/file"),
            cfg.StrOpt("braced", default="${dir}/file"),
        ]
    )
    return section


@pytest.mark.parametrize(
    ("here", "above", "value"),
    [
        (None, None, "grey"),
        (None, "red", "red"),
        ("blue", None, "blue"),
        ("blue", "red", "blue"),
        ("", "red", ""),
    ],
)
def test_section_wins_over_default_section_wins_over_default_value(
    conf, section, here, above, value
):
    if here is not None:
        conf.set_override("colour", here, group="alpha")
    if above is not None:
        conf.set_override("colour", above)
    assert section.read("colour") == value


def test_changed_default_of_the_section_is_still_a_default(conf, section):
    conf.set_default("colour", "green", group="alpha")
    assert section.read("colour") == "green"
    conf.set_override("colour", "red")
    assert section.read("colour") == "red"


@pytest.mark.parametrize("option", ["path", "braced"])
@pytest.mark.parametrize(
    ("here", "above", "value"),
    [
        (None, None, "/etc/x/file"),
        (None, "/above", "/above/file"),
        ("/here", None, "/here/file"),
        ("/here", "/above", "/here/file"),
    ],
)
def test_default_made_of_another_option_follows_it(conf, section, option, here, above, value):
    if here is not None:
        conf.set_override("dir", here, group="alpha")
    if above is not None:
        conf.set_override("dir", above)
    assert section.read(option) == value


def test_option_that_nobody_added_is_an_attribute_error(section):
    with pytest.raises(cfg.NoSuchOptError) as caught:
        section.read("colours")
    assert isinstance(caught.value, AttributeError)


def test_option_without_default_is_none(section):
    assert section.read("unset") is None


@pytest.mark.parametrize("name", [None, "DEFAULT"])
def test_default_section_reads_itself(conf, name):
    section = Section(conf, name)
    section.add([cfg.IntOpt("count", default=1)])
    conf.set_override("count", 2)
    assert section.read("count") == 2


def test_adding_the_same_options_twice_changes_nothing(conf, section):
    conf.set_override("colour", "blue", group="alpha")
    section.add([cfg.StrOpt("colour", default="grey")])
    assert section.read("colour") == "blue"


def test_another_definition_in_the_same_section_is_refused(section):
    with pytest.raises(cfg.DuplicateOptError):
        section.add([cfg.IntOpt("colour", default=1)])


def test_another_definition_in_the_default_section_serves_as_well(conf):
    conf.register_opt(cfg.StrOpt("colour", help="somebody else's words"))
    section = Section(conf, "alpha")
    section.add([cfg.StrOpt("colour", default="grey")])
    assert section.read("colour") == "grey"
    conf.set_override("colour", "red")
    assert section.read("colour") == "red"


def test_sections_do_not_see_each_other(conf, section):
    other = Section(conf, "beta")
    other.add([cfg.StrOpt("colour", default="grey")])
    conf.set_override("colour", "blue", group="alpha")
    assert other.read("colour") == "grey"


def test_value_from_a_file_counts_as_set(section, conf):
    with fixture.Config(conf) as files:
        files.load_raw_values(group="alpha", colour="blue")
        assert section.read("colour") == "blue"
