"""What KubernetesDiscovery does with an API server: the same tests for our own server and for a real one."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tests.integration.controller.runtimes.discovery.follower_process import TIMEOUT, Follow
from tests.waiting import until

NAMESPACE = "openfaas-fn"
LANGUAGE_LABEL = "lambda-microservice/language"
READY = {"ready": True, "serving": True, "terminating": False}
NOT_READY = {"ready": False, "serving": False, "terminating": False}
ENDING = {"ready": False, "serving": True, "terminating": True}


class Server(Protocol):
    """An API server and its EndpointSlices. Only requests of the follower under test are counted."""

    @property
    def lists(self) -> int:
        """How many lists it has answered."""

    @property
    def watches(self) -> Sequence[Mapping[str, str]]:
        """The query of every watch that it has opened."""

    def put(self, changed: dict[str, Any]) -> int:
        """Creates or replaces a slice. Returns its version."""

    def delete(self, name: str) -> None:
        """Deletes a slice."""

    def end_watch(self) -> None:
        """Has the open watch ended in an orderly way."""

    def disappear(self) -> None:
        """Breaks every connection, and accepts none."""

    def reappear(self) -> None:
        """Accepts connections again."""

    def forget(self) -> None:
        """Forgets the versions before the newest."""

    def forbid(self) -> None:
        """Takes the right to list and watch from the follower's account."""

    def permit(self) -> None:
        """Gives that right back."""


def endpoint_slice(
    service: str, *addresses: str, language: str = "python", name: str = "abc", **fields: Any
) -> dict[str, Any]:
    """A slice as the control plane makes it for a Service: the Service's labels, and two more."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-{name}",
            "namespace": NAMESPACE,
            "labels": {
                LANGUAGE_LABEL: language,
                "kubernetes.io/service-name": service,
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            },
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
        "endpoints": [endpoint(one) for one in addresses] or None,
        **fields,
    }


def endpoint(address: str, conditions: Mapping[str, bool] = READY) -> dict[str, Any]:
    return {"addresses": [address], "conditions": dict(conditions)}


def until_watched(api: Server, times: int) -> Mapping[str, str]:
    """Waits for the watch number `times`. Returns its query."""
    until(lambda: len(api.watches) >= times, f"there are {times} watches", TIMEOUT)
    return api.watches[times - 1]


class DiscoveryContract:
    """Needs the fixtures `api`, a Server without slices, and `follow`."""

    def test_it_lists_then_follows_every_kind_of_change(self, api: Server, follow: Follow) -> None:
        version = api.put(endpoint_slice("runtime-python", "10.1.2.3"))
        follower = follow()
        follower.until_known(python=["10.1.2.3"])
        query = until_watched(api, 1)
        assert int(query["resourceVersion"]) >= version
        assert query["allowWatchBookmarks"].lower() in {"1", "true"}
        api.put(endpoint_slice("runtime-ruby", "10.1.7.7", language="ruby"))
        follower.until_known(python=["10.1.2.3"], ruby=["10.1.7.7"])
        api.put(endpoint_slice("runtime-python", "10.1.2.3", "10.1.2.4"))
        follower.until_known(python=["10.1.2.3", "10.1.2.4"], ruby=["10.1.7.7"])
        api.put(endpoint_slice("runtime-python"))
        follower.until_known(python=[], ruby=["10.1.7.7"])
        api.delete("runtime-ruby-abc")
        follower.until_known(python=[])
        assert (api.lists, len(api.watches)) == (1, 1)

    def test_there_may_be_no_runtime_at_first(self, api: Server, follow: Follow) -> None:
        follower = follow()
        follower.until_known()
        api.put(endpoint_slice("runtime-python", "10.1.2.3"))
        follower.until_known(python=["10.1.2.3"])

    def test_endpoints_become_ready_and_end(self, api: Server, follow: Follow) -> None:
        def put(*conditions: Mapping[str, bool]) -> None:
            endpoints = [endpoint(f"10.1.2.{last}", one) for last, one in enumerate(conditions, 1)]
            api.put(endpoint_slice("runtime-python", endpoints=endpoints))

        # Conditions that are not told count as true.
        put(READY, NOT_READY, {})
        follower = follow()
        follower.until_known(python=["10.1.2.1", "10.1.2.3"])
        put(READY, READY, {})
        follower.until_known(python=["10.1.2.1", "10.1.2.2", "10.1.2.3"])
        put(ENDING, READY, NOT_READY)
        follower.until_known(python=["10.1.2.2"])
        put(ENDING, ENDING, NOT_READY)
        follower.until_known(python=[])
        put(READY)
        follower.until_known(python=["10.1.2.1"])

    def test_the_slices_of_a_service_are_joined(self, api: Server, follow: Follow) -> None:
        api.put(endpoint_slice("runtime-python", "10.1.2.3", "10.1.2.4"))
        follower = follow()
        follower.until_known(python=["10.1.2.3", "10.1.2.4"])
        # An endpoint that moves is in both slices for a while.
        api.put(endpoint_slice("runtime-python", "10.1.2.4", "10.1.2.5", name="def"))
        follower.until_known(python=["10.1.2.3", "10.1.2.4", "10.1.2.5"])
        api.put(endpoint_slice("runtime-python", "10.1.2.3"))
        api.delete("runtime-python-abc")
        follower.until_known(python=["10.1.2.4", "10.1.2.5"])

    def test_a_slice_without_the_label_is_ignored(self, api: Server, follow: Follow) -> None:
        other = endpoint_slice("other", "10.1.9.9")
        del other["metadata"]["labels"][LANGUAGE_LABEL]
        api.put(other)
        ours = endpoint_slice("runtime-python", "10.1.2.3")
        api.put(ours)
        follower = follow()
        follower.until_known(python=["10.1.2.3"])
        until_watched(api, 1)
        del ours["metadata"]["labels"][LANGUAGE_LABEL]
        api.put(ours)
        follower.until_known()
        ours["metadata"]["labels"][LANGUAGE_LABEL] = "ruby"
        api.put(ours)
        follower.until_known(ruby=["10.1.2.3"])
        assert api.lists == 1

    def test_a_watch_that_ends_is_resumed_from_the_last_version(self, api: Server, follow: Follow) -> None:
        api.put(endpoint_slice("runtime-python", "10.1.2.3"))
        follower = follow()
        until_watched(api, 1)
        version = api.put(endpoint_slice("runtime-python", "10.1.2.4"))
        follower.until_known(python=["10.1.2.4"])
        api.end_watch()
        assert int(until_watched(api, 2)["resourceVersion"]) >= version
        api.put(endpoint_slice("runtime-python", "10.1.2.5"))
        follower.until_known(python=["10.1.2.5"])
        assert api.lists == 1

    def test_what_is_known_stays_while_the_api_server_is_away(self, api: Server, follow: Follow) -> None:
        api.put(endpoint_slice("runtime-python", "10.1.2.3"))
        follower = follow()
        follower.until_known(python=["10.1.2.3"])
        until_watched(api, 1)
        api.disappear()
        follower.until_logged("what is known stays")
        follower.until_known(python=["10.1.2.3"])
        # What has changed in the time between is told by the next watch, without a list.
        api.put(endpoint_slice("runtime-python", "10.1.2.4"))
        api.reappear()
        follower.until_known(python=["10.1.2.4"])
        assert (api.lists, len(api.watches)) == (1, 2)
        # There was no moment without a runtime.
        assert all(one["addresses"] for one in follower.history if one["complete"])

    def test_a_version_that_is_gone_is_listed_anew(self, api: Server, follow: Follow) -> None:
        api.put(endpoint_slice("runtime-python", "10.1.2.3"))
        follower = follow()
        follower.until_known(python=["10.1.2.3"])
        until_watched(api, 1)
        api.disappear()
        version = api.put(endpoint_slice("runtime-ruby", "10.1.7.7", language="ruby"))
        api.delete("runtime-python-abc")
        api.forget()
        api.reappear()
        follower.until_known(ruby=["10.1.7.7"])
        follower.until_logged("listing anew")
        until(lambda: int(api.watches[-1]["resourceVersion"]) > version, "it is watched anew", TIMEOUT)
        assert api.lists == 2

    def test_missing_rights_are_told_and_the_list_is_tried_again(self, api: Server, follow: Follow) -> None:
        api.put(endpoint_slice("runtime-python", "10.1.2.3"))
        api.forbid()
        follower = follow()
        follower.until_logged("403 Forbidden")
        assert follower.history == [{"complete": False, "addresses": {}}]
        api.permit()
        follower.until_known(python=["10.1.2.3"])

    def test_what_is_known_stays_without_rights(self, api: Server, follow: Follow) -> None:
        api.put(endpoint_slice("runtime-python", "10.1.2.3"))
        follower = follow()
        follower.until_known(python=["10.1.2.3"])
        until_watched(api, 1)
        api.disappear()
        api.forbid()
        api.reappear()
        follower.until_logged("403 Forbidden")
        follower.until_known(python=["10.1.2.3"])
        api.permit()
        api.put(endpoint_slice("runtime-python", "10.1.2.4"))
        follower.until_known(python=["10.1.2.4"])
        assert api.lists == 1
