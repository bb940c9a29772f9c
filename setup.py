"""Packaging of Synnefo; a plain install needs no C compiler."""

from pathlib import Path

from setuptools import find_packages, setup

VERSION = next(
    line.split('"')[1]
    for line in Path(__file__).with_name("synnefo").joinpath("__init__.py").read_text().splitlines()
    if line.startswith("__version__")
)

setup(
    name="synnefo",
    version=VERSION,
    description="Cloud stack over Ganeti: identity, object storage, compute, network and image services",
    long_description=Path(__file__).with_name("README.md").read_text(),
    long_description_content_type="text/markdown",
    license="GPL-3.0-or-later",
    python_requires=">=3.11",
    packages=find_packages(
        include=["synnefo*", "astakos*", "pithos*", "cyclades*", "stats*", "branding*", "gtools*"]
    ),
    package_data={
        "gtools.osprovider": ["snf-image/*"],
        "gtools.extstorage": ["snffile/*"],
        "astakos": ["static/**/*", "templates/**/*", "locale/**/*"],
        "cyclades": ["static/**/*", "templates/**/*", "locale/**/*"],
        "pithos": ["templates/**/*", "locale/**/*"],
        "branding": ["static/**/*", "templates/**/*", "locale/**/*"],
    },
    install_requires=[
        "Django>=5.2,<5.3",
        "cryptography",
        "defusedxml",
        "gunicorn>=27",
        "httpx",
        "libpass",
        "nh3",
        "orjson",
        "Pillow>=10.1",
        "pika>=1.3",
        "prometheus-client",
        "psycopg2-binary",
        "pyotp",
        "PyYAML",
        "qrcode",
        "python-memcached>=1.62",
        "tqdm",
        "watchdog",
        "webauthn",
        "websockets>=14",
        "whitenoise",
    ],
    extras_require={
        # Sign-in with other providers.
        "social": ["social-auth-app-django"],
        # pysaml2 calls the program xmlsec1.
        "saml": ["pysaml2"],
        # Compiles against system libraries (libldap2-dev libsasl2-dev).
        "ldap": ["python-ldap", "django-auth-ldap"],
        # Graphs call the program rrdtool, which comes with the system (Debian: rrdtool).
        "stats": [],
        # The RADOS binding comes with Ceph (Debian: python3-rados), not from an index.
        "rados": [],
        "test": [
            "apache-libcloud",
            "axe-playwright-python",
            "django-stubs",
            "hypothesis",
            "import-linter",
            "mypy",
            "openstacksdk",
            "playwright",
            "pre-commit",
            "pysaml2",
            "pytest",
            "pytest-django",
            "pytest-timeout",
            "pytest-xdist",
            "python-openstackclient",
            "python-swiftclient",
            "ruff",
            "social-auth-app-django",
            "types-psycopg2",
        ],
    },
    entry_points={
        "console_scripts": [
            "snf-manage=synnefo.cli:main",
            "snf-component-register=synnefo.component_register:main",
            "snf-service-export=synnefo.service_export:main",
            "pithos-manage-accounts=pithos.management.accounts_program:main",
            "snf-burnin=cyclades.burnin.program:main",
            "snf-burnin-run=cyclades.burnin.scheduled:main",
            "snf-dispatcher=cyclades.dispatcher.main:main",
            "snf-ganeti-eventd=gtools.eventd:main",
            "snf-progress-monitor=gtools.progress_monitor:main",
            "snf-snapshot-agent=gtools.snapshots.__main__:main",
            "snf-vncauthproxy=gtools.vncauthproxy.daemon:main",
            "vncauthproxy-passwd=gtools.vncauthproxy.passwd:main",
            "snf-image-os=gtools.osprovider.__main__:main",
            "snf-extstorage=gtools.extstorage.__main__:main",
            "snf-network=gtools.network.__main__:main",
            "snf-network-dhcpd=gtools.network.responder:main",
        ]
    },
)
