"""Tables in SQL data bases: SQLite, PostgreSQL, MySQL and MariaDB."""
