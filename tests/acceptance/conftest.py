import pytest
from tests.acceptance.client import Client
@pytest.fixture(scope="session")
def jwt_secret(): return open('/tmp/d/jwt').read().strip()
@pytest.fixture(scope="session")
def client(jwt_secret): return Client("http://127.0.0.1:18080", jwt_secret)
