"""Where frames are, as settings and addresses name it."""

import pytest

from framing.place import PATH_MAX_BYTES, Place, place_of, with_frames, without_frames


@pytest.mark.parametrize(
    ("text", "place"), [("8083", Place(port=8083)), ("unix:/run/a b/socket", Place(path="/run/a b/socket"))]
)
def test_a_place_is_a_port_or_the_path_of_a_socket(text: str, place: Place) -> None:
    assert Place.parse(text) == place
    address = with_frames("http://10.0.0.7:8080", text)
    assert place_of(address) == ("10.0.0.7", place)
    assert without_frames(address) == "http://10.0.0.7:8080"


@pytest.mark.parametrize(
    "text", ["", "0", "65536", "x", "unix:", "unix:relative", "unix:/" + "x" * PATH_MAX_BYTES]
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Place.parse(text)


@pytest.mark.parametrize(
    "address", ["https://a#frames=1", "http://a#1", "http://a#frames=", "http://a#other=1"]
)
def test_an_address_with_another_fragment_is_refused(address: str) -> None:
    with pytest.raises(ValueError):
        place_of(address)


def test_an_address_without_a_fragment_has_no_frames() -> None:
    assert place_of("https://gateway/function/runtime-python") is None
    assert without_frames("http://a") == "http://a"
