"""What can stop the embedded PostgreSQL, each as one sentence that says what to do.

EmbeddedPostgresError
├── DataDirInUse          another process holds the folder
├── DataDirNotWritable    the folder cannot be made, read or written by this user
├── DataDirNotOurs        the folder holds something else
├── WrongMajorVersion     the data was written by another major version
├── NoSpaceLeft           the disk is full
├── BinariesMissing       no PostgreSQL for this platform is installed
├── ServerUserUnavailable nobody on this machine may run the server
├── SocketPathUnusable    no private folder with a short enough path for the socket
├── ServerDidNotStart     PostgreSQL itself refused; the end of its log is quoted
└── ServerDidNotStop      it does not end, not even when told twice
"""


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot run; the message says why and what to do."""


class DataDirInUse(EmbeddedPostgresError):
    """Another live process holds this data directory."""


class DataDirNotWritable(EmbeddedPostgresError):
    """This user may not use this data directory."""


class DataDirNotOurs(EmbeddedPostgresError):
    """The directory holds something that is not an embedded PostgreSQL."""


class WrongMajorVersion(EmbeddedPostgresError):
    """The data was written by another major version of PostgreSQL."""


class NoSpaceLeft(EmbeddedPostgresError):
    """The disk has no room for the data."""


class BinariesMissing(EmbeddedPostgresError):
    """The installed packages carry no PostgreSQL that runs here."""


class ServerUserUnavailable(EmbeddedPostgresError):
    """No operating-system user here may run the server."""


class SocketPathUnusable(EmbeddedPostgresError):
    """No private folder with a short enough path for the socket."""


class ServerDidNotStart(EmbeddedPostgresError):
    """PostgreSQL refused to start; the message quotes the end of its log."""


class ServerDidNotStop(EmbeddedPostgresError):
    """PostgreSQL did not end when it was told to."""
