"""Pages: what a person asks first, in Airflow's own frame, and nothing about any one person."""
