"""voltx_core: the library that trains Volt X. It knows nothing of Prefect."""
