"""Reports: questions to the archive, with the statistics that an honest answer needs."""
