"""Every error AutoVoice raises on purpose.

A protocol (REST, the command line, ...) never keeps a list of errors: the
machine code, the HTTP status and whether trying again can help travel with
the error itself.

    AutoVoiceError                      500  internal_error
    ├── InvalidRequest                  400  invalid_value
    │   ├── InvalidJSON                 400  invalid_json
    │   ├── InvalidSSML                 400  invalid_ssml
    │   ├── UnreadableAudio             400  unreadable_audio
    │   ├── UnsupportedParameter        400  unsupported_parameter
    │   ├── EmptyInput                  400  empty_input
    │   ├── InputTooLong                400  input_too_long
    │   ├── VoiceNotFound               404  voice_not_found
    │   ├── ModelNotFound               404  model_not_found
    │   ├── InvalidLexicon              400  invalid_lexicon
    │   ├── LexiconNotFound             404  lexicon_not_found
    │   ├── LexiconChanged              412  lexicon_changed
    │   ├── LexiconsReadOnly            403  lexicons_read_only
    │   ├── NotFound                    404  not_found
    │   ├── MethodNotAllowed            405  method_not_allowed
    │   ├── BodyTimeout                 408  request_timeout       retryable
    │   ├── BodyTooLarge                413  request_too_large
    │   ├── OriginNotAllowed            403  origin_not_allowed
    │   ├── UpgradeRequired             426  upgrade_required
    │   ├── WrongOrder                  400  wrong_order
    │   ├── TooManyMessages             429  too_many_messages
    │   ├── AdminKeyNeeded              403  admin_key_needed
    │   ├── InstallNotFound             404  install_not_found
    │   ├── VoiceNotManaged             409  voice_not_managed
    │   ├── VoicesReadOnly              403  voices_read_only
    │   └── UnsupportedMediaType        415  unsupported_media_type
    ├── InvalidAPIKey                   401  invalid_api_key
    ├── RateLimited                     429  rate_limit_exceeded   retryable
    ├── Unavailable                     503  unavailable           retryable
    │   ├── Overloaded                  503  overloaded            retryable
    │   ├── DeadlineExceeded            503  deadline_exceeded     retryable
    │   ├── Draining                    503  draining              retryable
    │   └── EngineUnavailable           503  engine_unavailable    retryable
    │       └── EngineCrashed           503  engine_crashed        retryable
    ├── EngineTimeout                   504  engine_timeout        retryable
    ├── EngineFailed                    500  engine_failed
    │   └── VoiceUnavailable            503  voice_unavailable
    ├── LexiconNotSaved                 507  lexicon_not_saved
    ├── VoiceNotInstalled               502  voice_not_installed
    │   ├── InvalidVoiceIndex           502  invalid_voice_index
    │   ├── DownloadFailed              502  download_failed       retryable
    │   ├── DownloadRefused             502  download_refused
    │   ├── DownloadDamaged             502  download_damaged
    │   ├── InvalidArchive              502  invalid_archive
    │   ├── InstallCancelled            409  install_cancelled
    │   └── VoiceStorageFull            507  voice_storage_full
    ├── Cancelled                       499  client_closed_request
    ├── SettingsError                   (at start) invalid_settings
    └── MissingDependency               (at start) missing_dependency
"""

from typing import Optional


class AutoVoiceError(Exception):
    """Base of all errors raised on purpose."""

    code: str = "internal_error"
    """Machine-readable code, stable across releases."""

    status: int = 500
    """HTTP status a web protocol answers with."""

    retryable: bool = False
    """Whether the same request may succeed a little later."""

    type: str = "server_error"
    """The ``type`` of OpenAI's error shape."""

    def __init__(
        self,
        message: str,
        *,
        param: Optional[str] = None,
        retry_after_s: Optional[float] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        """The request's field that is to blame, if one is."""
        self.retry_after_s = retry_after_s
        """Seconds after which a retry makes sense."""


class InvalidRequest(AutoVoiceError):
    """The request cannot be served as it is; the caller has to change it."""

    code = "invalid_value"
    status = 400
    type = "invalid_request_error"


class InvalidJSON(InvalidRequest):
    """The body is not JSON, or nested too deeply."""

    code = "invalid_json"


class InvalidSSML(InvalidRequest):
    """The markup cannot be read; the message tells line and column."""

    code = "invalid_ssml"


class UnreadableAudio(InvalidRequest):
    """A sound file that the request names cannot be played."""

    code = "unreadable_audio"


class UnsupportedParameter(InvalidRequest):
    """A field asks for something that no engine here does yet."""

    code = "unsupported_parameter"


class EmptyInput(InvalidRequest):
    """There is no text to speak."""

    code = "empty_input"


class InputTooLong(InvalidRequest):
    """The text is longer than the server accepts."""

    code = "input_too_long"


class VoiceNotFound(InvalidRequest):
    """No such voice; the message lists near matches."""

    code = "voice_not_found"
    status = 404


class ModelNotFound(InvalidRequest):
    """No such model."""

    code = "model_not_found"
    status = 404


class InvalidLexicon(InvalidRequest):
    """A lexicon's name or content is wrong; the message names the entry or the line."""

    code = "invalid_lexicon"


class LexiconNotFound(InvalidRequest):
    """No such lexicon."""

    code = "lexicon_not_found"
    status = 404


class LexiconChanged(InvalidRequest):
    """The lexicon is not any more as the client believes."""

    code = "lexicon_changed"
    status = 412


class LexiconsReadOnly(InvalidRequest):
    """The server may not write lexicons."""

    code = "lexicons_read_only"
    status = 403


class NotFound(InvalidRequest):
    """No such page or endpoint."""

    code = "not_found"
    status = 404


class MethodNotAllowed(InvalidRequest):
    """The endpoint exists, but not with this method."""

    code = "method_not_allowed"
    status = 405


class BodyTimeout(InvalidRequest):
    """The client did not send its request in time."""

    code = "request_timeout"
    status = 408
    retryable = True


class BodyTooLarge(InvalidRequest):
    """The body has more bytes than the server accepts."""

    code = "request_too_large"
    status = 413


class UnsupportedMediaType(InvalidRequest):
    """The body is not of a type the endpoint reads."""

    code = "unsupported_media_type"
    status = 415


class OriginNotAllowed(InvalidRequest):
    """A web page from elsewhere wants to open a WebSocket."""

    code = "origin_not_allowed"
    status = 403


class UpgradeRequired(InvalidRequest):
    """The endpoint speaks WebSocket, and the request does not."""

    code = "upgrade_required"
    status = 426


class WrongOrder(InvalidRequest):
    """A message that makes sense, but not now."""

    code = "wrong_order"


class TooManyMessages(InvalidRequest):
    """More messages a second than one WebSocket may send."""

    code = "too_many_messages"
    status = 429


class AdminKeyNeeded(InvalidRequest):
    """Only an administrator's key may do this, and this is none, or the server knows none."""

    code = "admin_key_needed"
    status = 403


class InstallNotFound(InvalidRequest):
    """No such installation, or it is long over."""

    code = "install_not_found"
    status = 404


class VoiceNotManaged(InvalidRequest):
    """The voice's files were put there by somebody else, and nobody can bring them back."""

    code = "voice_not_managed"
    status = 409


class VoicesReadOnly(InvalidRequest):
    """The server may not write in the folder of voices."""

    code = "voices_read_only"
    status = 403


class InvalidAPIKey(AutoVoiceError):
    """The API key is missing or wrong."""

    code = "invalid_api_key"
    status = 401
    type = "invalid_request_error"


class RateLimited(AutoVoiceError):
    """This key has used up its rate for now."""

    code = "rate_limit_exceeded"
    status = 429
    retryable = True
    type = "rate_limit_error"


class Unavailable(AutoVoiceError):
    """The server cannot serve this now."""

    code = "unavailable"
    status = 503
    retryable = True


class Overloaded(Unavailable):
    """The queue is full."""

    code = "overloaded"


class DeadlineExceeded(Unavailable):
    """The request could not start, or finish, within its deadline."""

    code = "deadline_exceeded"


class Draining(Unavailable):
    """The server is shutting down and takes no new work."""

    code = "draining"


class EngineUnavailable(Unavailable):
    """No worker of the engine is running."""

    code = "engine_unavailable"


class EngineCrashed(EngineUnavailable):
    """The engine's worker process died twice on this sentence."""

    code = "engine_crashed"


class EngineTimeout(AutoVoiceError):
    """The engine did not finish a sentence in time and was restarted."""

    code = "engine_timeout"
    status = 504
    retryable = True


class EngineFailed(AutoVoiceError):
    """The engine reported an error of its own."""

    code = "engine_failed"


class VoiceUnavailable(EngineFailed):
    """A voice's files are broken, or need what is not installed; the engine's others may work."""

    code = "voice_unavailable"
    status = 503


class LexiconNotSaved(AutoVoiceError):
    """The disk took no change of a lexicon, which is as it was."""

    code = "lexicon_not_saved"
    status = 507


class VoiceNotInstalled(AutoVoiceError):
    """A voice could not be installed; nothing of it is in the folder of voices."""

    code = "voice_not_installed"
    status = 502


class InvalidVoiceIndex(VoiceNotInstalled):
    """A list of voices cannot be read."""

    code = "invalid_voice_index"


class DownloadFailed(VoiceNotInstalled):
    """A file could not be fetched; what has arrived is kept for the next try."""

    code = "download_failed"
    retryable = True


class DownloadRefused(VoiceNotInstalled):
    """The file is not there, or the way to it leads where it must not."""

    code = "download_refused"


class DownloadDamaged(VoiceNotInstalled):
    """What arrived is not what the list of voices describes."""

    code = "download_damaged"


class InvalidArchive(VoiceNotInstalled):
    """An archive holds what no voice needs: links, paths to elsewhere, far too much."""

    code = "invalid_archive"


class InstallCancelled(VoiceNotInstalled):
    """Somebody stopped the installation."""

    code = "install_cancelled"
    status = 409
    type = "invalid_request_error"


class VoiceStorageFull(VoiceNotInstalled):
    """The disk, or the space that voices may take, does not suffice."""

    code = "voice_storage_full"
    status = 507


class Cancelled(AutoVoiceError):
    """The client went away; nobody is left to answer."""

    code = "client_closed_request"
    status = 499
    type = "invalid_request_error"


class SettingsError(AutoVoiceError):
    """One or more settings are wrong; the message lists every problem."""

    code = "invalid_settings"


class MissingDependency(AutoVoiceError):
    """An optional package is needed; the message names the ``pip install``."""

    code = "missing_dependency"
