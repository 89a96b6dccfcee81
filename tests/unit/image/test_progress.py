# SPDX-License-Identifier: Apache-2.0
"""What is told of a transfer while it runs."""

import threading

import pytest

from manila_lite.image import progress


def test_each_percentage_is_told_once_and_only_upwards():
    told = []
    way = progress.begin(told.append)
    for share in (0.0, 0.004, 0.01, 0.015, 0.5, 0.3, 0.509, 1.0, 1.0):
        way.at(share)
    assert told == [1, 50, 100]


def test_parts_of_the_way_add_up():
    told = []
    way = progress.begin(told.append)
    first, second = way.part(0, 0.5), way.part(0.5, 1)
    first.at(0.5)
    first.at(1)
    second.part(0, 0.5).at(1)
    second.at(1)
    assert told == [25, 50, 75, 100]


def test_what_lies_beyond_the_end_is_the_end():
    told = []
    progress.begin(told.append).at(17)
    assert told == [100]


def test_counted_pieces_become_percentages():
    told = []
    count = progress.begin(told.append).counter(200)
    for _ in range(4):
        count(50)
    assert told == [25, 50, 75, 100]


@pytest.mark.parametrize("total", [None, 0])
def test_of_an_unknown_total_nothing_is_told(total):
    told = []
    progress.begin(told.append).counter(total)(10)
    assert told == []


def test_the_output_of_qemu_img_is_read_wherever_it_is_cut():
    output = b"    (0.00/100%)\r    (1.02/100%)\r    (37.50/100%)\r    (100.00/100%)\r\n"
    for length in (1, 7, len(output)):
        told = []
        read = progress.begin(told.append).of_qemu_img()
        for start in range(0, len(output), length):
            read(output[start : start + length])
        assert told[-1] == 100
        assert set(told) <= {1, 37, 100}
        assert told == sorted(told)


def test_a_flow_hears_of_transfers_that_drivers_make_inside_the_block():
    told = []
    with progress.reported_to(told.append):
        progress.begin().at(0.2)
    progress.begin().at(0.9)
    assert told == [20]


def test_threads_beside_it_are_not_heard():
    told = []
    with progress.reported_to(told.append):
        thread = threading.Thread(target=lambda: progress.begin().at(1))
        thread.start()
        thread.join()
    assert told == []


def test_what_the_listener_raises_ends_the_transfer():
    def refuse(percent):
        raise KeyError(percent)

    with pytest.raises(KeyError):
        progress.begin(refuse).at(0.5)
