-- Three rooms: what the service works with (public), what it knows of itself (meta), what people ask of it (analytics).
CREATE SCHEMA IF NOT EXISTS meta;
CREATE SCHEMA IF NOT EXISTS analytics;
