# SPDX-License-Identifier: Apache-2.0
"""What a report says of share servers."""

from manila_lite import exception


def test_a_report_tells_the_pools_of_each_active_server(site):
    first, second, lost = (site.add_server() for _ in range(3))
    site.add_server("creating")

    def pools(server):
        if server["id"] == lost:
            raise exception.ShareBackendException(msg="no answer")
        return [{"pool_name": "fast"}] if server["id"] == first else None

    site.driver.get_share_server_pools = pools

    report = site.environment.report()

    assert report["server_pools_mapping"] == {first: [{"pool_name": "fast"}], second: []}


def test_without_servers_there_is_nothing_to_tell(site):
    assert site.environment.report()["server_pools_mapping"] == {}
