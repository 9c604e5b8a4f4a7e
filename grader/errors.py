"""The errors of the grader, drawn as a tree. Whose fault it is decides the branch.

    GraderError
    ├── ConfigurationError          the course tree, a CSV or an option is wrong: the instructor mends it
    ├── StoreError                  a saved result is damaged or from another engine
    │   └── StateInUse              another run holds the state folder
    ├── CollectError                git or the forge failed for a reason that is not the student's
    ├── SandboxError                our isolation could not be started, or broke: nobody loses a mark
    ├── ClusterError                a scheduler or a node cannot be reached or used: nobody loses a mark
    └── CandidateError              the submission's fault: the check has failed
        ├── CandidateMissing        a required name is not there
        ├── CandidateNotImplemented the starter's hole is still open
        ├── CandidateRaised         the code raised an exception
        ├── CandidateTimeout        no answer within the time for a question
        ├── CandidateDied           the process ended, or was ended at one of its limits
        ├── WrongAnswer             an answer of the wrong kind, dtype or shape, or not finite
        └── ProtocolViolation       what came back is not an answer at all

Messages say what is wrong, what was found and what to do; lower case, no full stop. The message of a
`CandidateError` is shown to the student: it never holds a path, hidden data or a traceback of ours.
"""


class GraderError(Exception):
    """Anything that the grader itself has to say."""


class ConfigurationError(GraderError):
    """The course tree, a CSV or an option is wrong; the message names file and field."""


class StoreError(GraderError):
    """A stored result cannot be read back."""


class StateInUse(StoreError):
    """Another run holds the state folder."""


class CollectError(GraderError):
    """A repository could not be read for a reason that is not the student's."""


class SandboxError(GraderError):
    """The isolation could not be started or broke; the outcome is `could_not_check`."""


class ClusterError(GraderError):
    """A scheduler or a node cannot be reached or used; what is stored stays, the same command goes on."""


class CandidateError(GraderError):
    """The submission's own fault; the outcome is `failed` and the message goes to the student."""


class CandidateMissing(CandidateError):
    """A name that the assignment asks for is not defined."""


class CandidateNotImplemented(CandidateError):
    """The code raised `NotImplementedError`: still a stub."""


class CandidateRaised(CandidateError):
    """The code raised an exception."""


class CandidateTimeout(CandidateError):
    """No answer within the time for one question."""


class CandidateDied(CandidateError):
    """The process ended, or was ended at one of its limits."""


class WrongAnswer(CandidateError):
    """An answer of the wrong kind, dtype or shape, or with values that are not finite."""


class ProtocolViolation(CandidateError):
    """The bytes that came back are not an answer to the question."""
