"""The lookup table types that come with the mail system. Names only: a type's module is imported when it is used."""

from mailer.plugins.declaration import Table, TableMaker

inline = Table("inline", "key=value pairs written in main.cf", "mailer.tables.inline.InlineTable")
static = Table("static", "one value for every key", "mailer.tables.static.StaticTable")
fail = Table("fail", "never can tell; for tests", "mailer.tables.fail.FailTable")
environ = Table("environ", "the process environment", "mailer.tables.environ.EnvironTable")
randmap = Table("randmap", "one of several values, by chance", "mailer.tables.randmap.RandomTable")
unionmap = Table("unionmap", "what several tables find, joined by commas", "mailer.tables.composite.UnionTable")
pipemap = Table("pipemap", "one table's value is the next one's key", "mailer.tables.composite.PipeTable")
texthash = Table("texthash", "the text file that postmap reads", "mailer.tables.texthash.TextTable")
regexp = Table("regexp", "POSIX regular expressions", "mailer.tables.regexp.RegexpTable")
pcre = Table("pcre", "Perl-compatible regular expressions", "mailer.tables.pcre.PcreTable")
cidr = Table("cidr", "network address blocks", "mailer.tables.cidr.CidrTable")
unix = Table("unix", "accounts and groups of the system", "mailer.tables.unix.build")
internal = Table("internal", "an empty table in memory", "mailer.tables.internal.InternalTable")
lmdb = Table("lmdb", "LMDB files that postmap makes", "mailer.tables.lmdb.LmdbTable", "lmdb")
cdb = Table("cdb", "constant databases that postmap makes", "mailer.tables.cdb.CdbTable")
hash = Table("hash", "Berkeley DB hash files that postmap makes", "mailer.tables.berkeley.hash_table")
btree = Table("btree", "Berkeley DB tree files that postmap makes", "mailer.tables.berkeley.btree_table")

make_lmdb = TableMaker("lmdb", lmdb.summary, "mailer.tables.lmdb.LmdbWriter", "lmdb")
make_cdb = TableMaker("cdb", cdb.summary, "mailer.tables.cdb.CdbWriter")
make_hash = TableMaker("hash", hash.summary, "mailer.tables.berkeley.hash_writer")
make_btree = TableMaker("btree", btree.summary, "mailer.tables.berkeley.btree_writer")
make_fail = TableMaker("fail", fail.summary, "mailer.tables.fail.FailWriter")
