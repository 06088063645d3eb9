"""Metrics: what is in the book, counted anew at each scrape, as Prometheus reads it."""
