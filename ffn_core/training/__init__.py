"""The training step and what it needs: examples, batches, optimizers, schedules, scores."""
