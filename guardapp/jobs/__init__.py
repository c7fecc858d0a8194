"""A job is a spec that becomes artifacts: registry, queue, worker process, supervisor."""
