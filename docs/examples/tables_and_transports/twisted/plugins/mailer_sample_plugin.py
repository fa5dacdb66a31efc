"""What this distribution adds. Names only: nothing is imported before it is used."""

from mailer.plugins.declaration import Table, Transport

csv = Table("csv", "a column of a CSV file", "mailer_sample.table.CsvTable")
archive = Transport("archive", "keep messages as files", "mailer_sample.transport.build")
