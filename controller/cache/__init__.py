"""Redis, or memory in its place, behind one small interface: `backend.Backend`, used by `manager.CacheManager`."""
