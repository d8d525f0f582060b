"""From where on a figure is red. The alerts of `deploy/prometheus/rules` agree; docs/operations.md explains them."""

#: Of the answers: those that are 5xx.
ERROR_RATIO = 0.005
#: Seconds, each of a 95th percentile.
CONTROLLER_SECONDS = 0.05
RUN_SECONDS = 1.0
REDIS_SECONDS = 0.01
POSTGRES_SECONDS = 0.1
QUEUE_SECONDS = 0.5
#: Of the runs: those that cost their worker.
KILL_RATIO = 0.05
#: Seconds since a chore of the maintenance, which comes every 30, was last done.
CHORE_SECONDS = 300.0
