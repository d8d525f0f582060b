"""docs/packages.md: popular packages, each with a call that a real runtime ran under the shipped confinement."""
