"""What recorded runs say: tables, intervals, models and figures."""
