"""The parts that an installation is put together from, each built in one place; `app.create_app` joins them."""
