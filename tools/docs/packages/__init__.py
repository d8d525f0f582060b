"""docs/popular-packages.md: packages, each with a call that a real runtime ran under the shipped confinement."""
