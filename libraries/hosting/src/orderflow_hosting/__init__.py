"""The chassis of every service process: Dapr, HTTP, database, access, pages and health."""
