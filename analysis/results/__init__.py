"""The results page: figures and verdicts of recorded studies, as notebooks and as one page."""
