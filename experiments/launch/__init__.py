"""Starting ranks: command lines of launchers, local processes, Slurm, elastic Horovod."""
