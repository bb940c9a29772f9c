"""Settings of sign-up, activation, passwords, terms and mails (identity contract 4, 5)."""

from __future__ import annotations

from synnefo.settings_registry import declare

_CONF = "20-snf-astakos-app-settings"
_CAPTCHA = "20-snf-astakos-app-recaptcha"
_NOTIFICATIONS = "20-snf-astakos-app-notifications"
_API = "20-snf-astakos-app-admin"

# -- sign-up and activation --------------------------------------------------------------------------------

declare(
    "ASTAKOS_SHOW_SIGNUP", True, type=bool, conf=_CONF,
    help="Whether the login page leads to the sign-up page.",
)  # fmt: skip
declare(
    "ASTAKOS_FORCE_PROFILE_UPDATE", False, type=bool, conf=_CONF,
    help="Whether the first login leads to the profile page.",
)  # fmt: skip
declare(
    "ASTAKOS_ACTIVATION_REDIRECT_URL", "", type=str, conf=_CONF,
    help="Where people land who activate their account; empty means the overview page.",
)  # fmt: skip
declare(
    "ASTAKOS_INVITATIONS_ENABLED", False, type=bool, conf=_CONF,
    help="Whether users may invite others, whose address then counts as verified when they sign up.",
)  # fmt: skip
declare(
    "ASTAKOS_INVITATIONS_PER_LEVEL", {0: 100, 1: 2, 2: 0, 3: 0, 4: 0}, type=dict, conf=_CONF,
    help="How many people a new user of each level may invite; who is invited is one level further out.",
)  # fmt: skip
declare(
    "ASTAKOS_DEFAULT_USER_LEVEL", 4, type=int, conf=_CONF,
    help="Level of users who signed up without an invitation.",
)  # fmt: skip
declare(
    "ASTAKOS_REJECTION_MAIL_ENABLED", False, type=bool, conf=_NOTIFICATIONS,
    help="Whether people whose account is rejected are told so by mail, with the reason.",
)  # fmt: skip

# -- logging in and passwords ------------------------------------------------------------------------------

declare(
    "ASTAKOS_RATELIMIT_RETRIES_ALLOWED", 3, type=int, conf=_CONF,
    help="The how-maniest log-in attempt for one name within a minute has to solve a captcha, or to wait "
    "when there are no captchas.",
)  # fmt: skip
declare(
    "ASTAKOS_RATELIMIT_ADDRESS_PER_MINUTE", 60, type=int, conf=_CONF,
    help="Log-in attempts that one client address may make in a minute, for whatever names.",
)  # fmt: skip
declare(
    "ASTAKOS_RATELIMIT_MAILS_PER_HOUR", 5, type=int, conf=_CONF,
    help="Mails (activation, password reset, change of address) that one mail address is sent in an hour.",
)  # fmt: skip
declare(
    "ASTAKOS_RATELIMIT_FORMS_PER_HOUR", 60, type=int, conf=_CONF,
    help="Sign-ups, resets and the like that one client address may send in an hour.",
)  # fmt: skip
declare(
    "ASTAKOS_RATELIMIT_CATALOGS_PER_MINUTE", 120, type=int, conf=_CONF,
    help="Translations between users' uuids and addresses (user_catalogs) that one user may ask in a minute; "
    "components are not limited.",
)  # fmt: skip
declare(
    "ASTAKOS_NEWPASSWD_INVALIDATE_TOKEN", True, type=bool, conf=_CONF,
    help="Whether a new password also renews the user's token; otherwise the form has a tick box for it.",
)  # fmt: skip
declare(
    "AUTH_PASSWORD_VALIDATORS",
    [
        {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
        {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
        {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    ],
    type=(list, tuple), conf=_CONF,
    help="Django's validators of the passwords that people choose on the pages.",
)  # fmt: skip

# -- captcha -----------------------------------------------------------------------------------------------

declare(
    "ASTAKOS_RECAPTCHA_ENABLED", False, type=bool, conf=_CAPTCHA,
    help="Whether sign-up and repeated log-in attempts ask for a captcha.",
)  # fmt: skip
declare(
    "ASTAKOS_CAPTCHA_PROVIDER", "auto", type=str, conf=_CAPTCHA,
    choices=("auto", "built-in", "recaptcha-v2", "recaptcha-v3", "hcaptcha"),
    help="Whose captcha it is. The built-in one lets the browser calculate and asks people nothing; it "
    "needs no keys. 'auto' means recaptcha-v2 where there is a site key, else the built-in one.",
)  # fmt: skip
declare(
    "ASTAKOS_CAPTCHA_WORK_BITS", 14, type=int, conf=_CAPTCHA,
    help="How much a browser has to calculate for the built-in captcha, 1 to 32: each step doubles it; 14 "
    "takes about a second.",
)  # fmt: skip
declare(
    "ASTAKOS_RECAPTCHA_PUBLIC_KEY", "", type=str, conf=_CAPTCHA,
    help="The site key that the captcha's service issued.",
)  # fmt: skip
declare(
    "ASTAKOS_RECAPTCHA_PRIVATE_KEY", "", type=str, secret=True, conf=_CAPTCHA,
    help="The secret key that the captcha's service issued.",
)  # fmt: skip
declare(
    "ASTAKOS_RECAPTCHA_OPTIONS", {"theme": "light"}, type=dict, conf=_CAPTCHA,
    help="Attributes of the captcha's box, such as theme or size; others of the first reCAPTCHA are ignored.",
)  # fmt: skip
declare(
    "ASTAKOS_CAPTCHA_VERIFY_URL", "", type=str, conf=_CAPTCHA,
    help="Where answers to captchas are checked; empty means the provider's usual address.",
)  # fmt: skip
declare(
    "ASTAKOS_CAPTCHA_MIN_SCORE", 0.5, type=(float, int), conf=_CAPTCHA,
    help="The lowest score (0 to 1) of reCAPTCHA v3 that passes for a person.",
)  # fmt: skip
declare(
    "ASTAKOS_CAPTCHA_TIMEOUT", 5, type=(float, int), conf=_CAPTCHA,
    help="Seconds to wait for the service that checks captchas.",
)  # fmt: skip

# -- change of address -------------------------------------------------------------------------------------

declare(
    "ASTAKOS_EMAILCHANGE_ENABLED", False, type=bool, conf=_CONF,
    help="Whether users may change their mail address on their own.",
)  # fmt: skip
declare(
    "ASTAKOS_EMAILCHANGE_ACTIVATION_DAYS", 10, type=int, conf=_CONF,
    help="Days within which a new mail address must be confirmed.",
)  # fmt: skip

# -- mails -------------------------------------------------------------------------------------------------

declare(
    "EMAIL_SUBJECT_PREFIX", "[Synnefo] ", type=str, conf=_NOTIFICATIONS,
    help="Begins the subject of every mail to administrators and staff.",
)  # fmt: skip
declare(
    "ASTAKOS_MAILS_IN_BACKGROUND", True, type=bool, conf=_NOTIFICATIONS,
    help="Whether web servers hand mails over after they have answered; otherwise the answer waits for it.",
)  # fmt: skip
declare(
    "ASTAKOS_MAILS_KEPT_DAYS", 5, type=int, conf=_NOTIFICATIONS,
    help="Days during which a mail that the mail server does not take is tried again.",
)  # fmt: skip

# -- administration of users by API ------------------------------------------------------------------------

declare(
    "ASTAKOS_ADMIN_API_ENABLED", False, type=bool, conf=_API,
    help="Whether there is an API for creating and changing users.",
)  # fmt: skip
declare(
    "ASTAKOS_ADMIN_API_PERMITTED_GROUPS", ["admin-api"], type=(list, tuple, set), conf=_API,
    help="Groups whose members may use the API for creating and changing users.",
)  # fmt: skip
declare(
    "ASTAKOS_ADMIN_STATS_PERMITTED_GROUPS", ["admin-stats"], type=(list, tuple, set), conf=_API,
    help="Groups whose members may read detailed statistics.",
)  # fmt: skip
