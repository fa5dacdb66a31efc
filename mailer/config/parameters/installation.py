"""Where files, commands and instances live.

The meanings follow postconf(5), postmulti(1) and MULTI_INSTANCE_README.
"""

from __future__ import annotations

from mailer.config.declaration import Parameter
from mailer.config.parameters.area import Area

__all__ = ["PARAMETERS"]

paths = Area("paths-install")
instances = Area("multi-instance")

PARAMETERS: tuple[Parameter, ...] = (
    paths.list(
        "alternate_config_directories",
        "",
        "Further configuration directories that unprivileged users may name on a command line.",
    ),
    paths.string("command_directory", "/usr/sbin", "Directory of the administrative commands.", minimum=1),
    paths.string("config_directory", "/etc/postfix", "Directory of main.cf and master.cf."),
    paths.string(
        "daemon_directory",
        "/usr/libexec/postfix",
        "Directory of the daemon programs and their support scripts.",
        minimum=1,
    ),
    paths.string(
        "data_directory",
        "/var/lib/postfix",
        "Directory for writable files of the mail owner, such as caches and seeds.",
        minimum=1,
    ),
    paths.string("html_directory", "no", "Directory of the HTML documentation, or no.", minimum=1),
    paths.string("mail_owner", "postfix", "User that owns the queue and runs most daemons.", minimum=1),
    paths.string("mailq_path", "/usr/bin/mailq", "Path of the mailq command.", minimum=1),
    paths.string("manpage_directory", "/usr/local/man", "Directory of the manual pages.", minimum=1),
    paths.string(
        "meta_directory",
        "/etc/postfix",
        "Directory of files that all instances share, such as postfix-files.",
        minimum=1,
    ),
    paths.string("newaliases_path", "/usr/bin/newaliases", "Path of the newaliases command.", minimum=1),
    paths.string(
        "process_id_directory", "pid", "Directory, below queue_directory, of the process id and lock files.", minimum=1
    ),
    paths.string(
        "queue_directory", "/var/spool/postfix", "Directory of the mail queue and of the services' sockets.", minimum=1
    ),
    paths.string("readme_directory", "no", "Directory of the README files, or no.", minimum=1),
    paths.string("sample_directory", "/etc/postfix", "Directory of sample configuration files.", minimum=1),
    paths.string("sendmail_path", "/usr/sbin/sendmail", "Path of the sendmail command.", minimum=1),
    paths.string(
        "setgid_group",
        "postdrop",
        "Group that owns the submission directory and the commands that write to it.",
        minimum=1,
    ),
    paths.string("shlib_directory", "no", "Directory of shared libraries and loadable table types, or no.", minimum=1),
    instances.list(
        "multi_instance_directories",
        "",
        "Configuration directories of the further instances that the default instance starts.",
    ),
    instances.boolean(
        "multi_instance_enable", "no", "Whether this instance is started and stopped together with the others."
    ),
    instances.string("multi_instance_group", "", "Name of a group of instances that are managed together."),
    instances.string(
        "multi_instance_name", "", "Name of this instance, which also replaces the log name's first part."
    ),
    instances.string(
        "multi_instance_wrapper", "", "Command that manages all instances when the default one is started or stopped."
    ),
    instances.list("postmulti_control_commands", "reload flush", "Commands that are passed to running instances only."),
    instances.list(
        "postmulti_start_commands", "start", "Commands that are treated as start for each enabled instance."
    ),
    instances.list(
        "postmulti_stop_commands",
        "stop abort drain quick-stop",
        "Commands that are treated as stop, in reverse order of the instances.",
    ),
)
