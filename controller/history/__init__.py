"""What users ran and used: reads of the request log and of the statistics.

It may import the models and what lies below. The rows are read by `controller.database.history`.
"""
