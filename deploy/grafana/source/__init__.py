"""Grafana's dashboards as code, by Grafana's own builder library; their JSON is in `deploy/grafana/dashboards`."""
