"""Access restrictions as plug-ins: a word of one's own for smtpd_*_restrictions.

A plug-in is declared in a module of ``twisted.plugins`` (``mailer.plugins.declaration.Restriction``) and found by the name that
stands in main.cf, without regard to case. A built-in restriction cannot be replaced.
"""

from zope.interface import Attribute, Interface

__all__ = ["PERMIT", "IExamination", "IRestriction", "IRestrictionFactory"]

#: What ``IRestriction.check`` returns to end the list with permission.
PERMIT = "permit"


class IExamination(Interface):
    """One client, sender or recipient under examination, as a restriction sees it."""

    session = Attribute(
        "A mailer.message.session.Session: client, envelope, recipient, protocol state, TLS. To be read only."
    )
    parameter = Attribute("The list that is examined: ``smtpd_recipient_restrictions`` ...")
    stage = Attribute("How replies name what is examined: ``Client host``, ``Recipient address`` ...")
    subject = Attribute(
        "The client, name or address that is examined, for replies: ``<subject>: stage rejected: ...``."
    )

    def note(word, text):
        """A line for the mail log: ``NOQUEUE: word: RCPT from client: text; from=<...> ...``."""

    def warn(text):
        """A warning for the mail log."""

    def postpone(reply):
        """Refuse with this 4xx reply unless a later restriction refuses for good (as defer_if_permit does).

        :return: what ``check`` shall return."""


class IRestriction(Interface):
    """One entry of a restriction list."""

    async def check(examination):
        """:param examination: an IExamination.
        :return: None to ask the next restriction, PERMIT to end the list, or the mailer.message.status.Reply to refuse with.
        :raise TemporaryError: cannot tell now; the client is refused for the moment. Any other error does the same, and is
            logged with the restriction's name. So is an answer that takes longer than the budget (100 s).
        """


class IRestrictionFactory(Interface):
    """The plug-in."""

    name = Attribute(
        "The word in main.cf: letters, digits and ``_``; by custom it begins with permit_, reject_, defer_ or check_."
    )
    summary = Attribute("One line of help.")
    extra = Attribute("The pip extra it needs, or ''.")
    takes = Attribute(
        "What has to follow the word in a list: '' (nothing), ``table`` (type:name), ``domain``, ``number``, ``server`` or"
        " ``word`` (anything without white space)."
    )

    def build(argument, context):
        """Make one; called once for each place in main.cf where the word stands, at start and reload.

        :param argument: what follows the word, "" if nothing does.
        :param context: mailer.interfaces.context.Context: ``settings``, ``tables``, ``dns``, ``reactor``, ``log`` ...
        :return: an IRestriction. :raise ConfigError: the argument makes no sense.
        """
