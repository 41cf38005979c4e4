"""condmix export --tune: forms chosen by measuring them where the file will run."""
