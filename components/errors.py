"""The one exception for what a user can mend."""


class UserError(Exception):
    """Bad input or usage. The message says what is wrong, where, what was expected and what to do; it is shown as it
    is.
    """
