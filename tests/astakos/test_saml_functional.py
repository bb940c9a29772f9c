"""SAML 2.0 logins against real pysaml2 identity providers, honest and forging (identity contract 4.5)."""

from __future__ import annotations

import base64
import datetime as dt
import html
import os
import re
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, override_settings

from astakos.logic import saml
from astakos.models import SamlMessage, User, UserAuthProvider
from synnefo import clock
from synnefo.errors import BadRequest, NotFound
from tests.astakos.conftest import MakeUser
from tests.lab.certificates import rsa_key, self_signed
from tests.lazily import Lazily

if TYPE_CHECKING:
    from tests.lab.saml_idp import SamlIdp

pytestmark = [pytest.mark.functional, pytest.mark.django_db]

if find_spec("saml2") is None or shutil.which("xmlsec1") is None:
    pytest.skip("pysaml2 or xmlsec1 is not installed", allow_module_level=True)
saml_idp = Lazily("tests.lab.saml_idp")


@pytest.fixture(scope="module")
def idps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SamlIdp, SamlIdp]]:
    """Two institutions that trust the service, and the other way round."""
    folder = tmp_path_factory.mktemp("saml")
    certificate, key = self_signed("service")
    (folder / "service.crt").write_bytes(certificate)
    (folder / "service.key").write_bytes(key)
    pair = tuple(saml_idp.SamlIdp(folder, name).start() for name in ("university", "institute"))
    values = {
        "ASTAKOS_IM_MODULES": ["local", "saml"],
        "ASTAKOS_SAML_METADATA_FILES": [str(idp.metadata_path) for idp in pair],
        "ASTAKOS_SAML_KEY_FILE": str(folder / "service.key"),
        "ASTAKOS_SAML_CERT_FILE": str(folder / "service.crt"),
    }
    with override_settings(**values):
        for idp in pair:
            idp.trust(saml.metadata())
        yield pair
    for idp in pair:
        idp.stop()


@pytest.fixture
def idp(idps: tuple[SamlIdp, SamlIdp]) -> SamlIdp:
    for item in idps:
        item.reset()
    return idps[0]


def answer_of(idp: SamlIdp) -> str:
    return saml_idp.visit(saml.begin(provider=idp.entity_id).url)["SAMLResponse"]


def log_in(idp: SamlIdp) -> saml.SamlLogin:
    return saml.accept_response(response=answer_of(idp))


def test_a_login_tells_who_it_is(idp: SamlIdp) -> None:
    found = log_in(idp)
    assert found.identity.identifier == f"{idp.entity_id}!persistent-maria"
    assert (found.identity.email, found.identity.first_name, found.identity.last_name) == (
        "maria@university.example", "Maria", "Doe",
    )  # fmt: skip
    assert found.entity_id == idp.entity_id


def test_there_is_a_choice_of_institutions(idps: tuple[SamlIdp, SamlIdp]) -> None:
    assert [item.name for item in saml.identity_providers()] == ["Institute", "University"]
    with pytest.raises(NotFound):
        saml.begin(provider="https://unknown.example")


def test_institutions_cannot_speak_for_each_other(idps: tuple[SamlIdp, SamlIdp], idp: SamlIdp) -> None:
    assert log_in(idps[1]).identity.identifier != log_in(idp).identity.identifier


def test_metadata_names_our_endpoints_and_wants_signed_assertions(idp: SamlIdp) -> None:
    text = saml.metadata()
    assert saml.url_of("acs") in text and saml.url_of("sls") in text
    assert 'WantAssertionsSigned="true"' in text and 'AuthnRequestsSigned="true"' in text


def test_an_attribute_may_be_the_identifier(idp: SamlIdp, settings: Any) -> None:
    settings.ASTAKOS_SAML_IDENTIFIER_ATTRIBUTE = "uid"
    assert log_in(idp).identity.identifier == f"{idp.entity_id}!maria"
    del idp.attributes["uid"]
    with pytest.raises(BadRequest, match="permanent identifier"):
        log_in(idp)


def test_a_name_that_changes_at_each_login_identifies_nobody(idp: SamlIdp) -> None:
    idp.name_id_format = "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"
    with pytest.raises(BadRequest, match="permanent identifier"):
        log_in(idp)


def test_an_answer_is_good_once(idp: SamlIdp) -> None:
    answer = answer_of(idp)
    saml.accept_response(response=answer)
    with pytest.raises(BadRequest):
        saml.accept_response(response=answer)


def test_an_assertion_is_good_once_even_for_a_request_that_waits(idp: SamlIdp) -> None:
    answer = answer_of(idp)
    found = saml.accept_response(response=answer)
    SamlMessage.objects.create(
        message_id=f"request:{found.request_id}", expires=dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
    )
    with pytest.raises(BadRequest):
        saml.accept_response(response=answer)


def test_an_answer_nobody_asked_for_is_refused(idp: SamlIdp) -> None:
    answer = answer_of(idp)
    SamlMessage.objects.all().delete()
    with pytest.raises(BadRequest):
        saml.accept_response(response=answer)


@pytest.mark.parametrize(
    "text", ["", "x", "<a/>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a" * 200_000]
)
def test_what_is_no_response_is_refused(idp: SamlIdp, text: str) -> None:
    with pytest.raises(BadRequest):
        saml.accept_response(response=base64.b64encode(text.encode()).decode())
    with pytest.raises(BadRequest):
        saml.accept_response(response=text)


# -- forged assertions -------------------------------------------------------------------------------------


def _times(name: str, text: str) -> Callable[[Any], None]:
    def mutate(response: Any) -> None:
        setattr(response.assertion.conditions, name, text)

    return mutate


def _other_audience(response: Any) -> None:
    response.assertion.conditions.audience_restriction[0].audience[0].text = "https://other.example/sp"


def _no_audience(response: Any) -> None:
    response.assertion.conditions.audience_restriction = []


def _other_recipient(response: Any) -> None:
    for confirmation in response.assertion.subject.subject_confirmation:
        confirmation.subject_confirmation_data.recipient = "https://other.example/acs"


def _other_issuer(response: Any) -> None:
    response.issuer.text = response.assertion.issuer.text = "https://evil.example/metadata"


def _late_confirmation(response: Any) -> None:
    for confirmation in response.assertion.subject.subject_confirmation:
        confirmation.subject_confirmation_data.not_on_or_after = "2020-01-01T00:00:00Z"


def _failed(response: Any) -> None:
    response.status.status_code.value = "urn:oasis:names:tc:SAML:2.0:status:Responder"


@pytest.mark.parametrize(
    "mutate",
    [
        _times("not_on_or_after", "2020-01-01T00:00:00Z"), _times("not_before", "2100-01-01T00:00:00Z"),
        _other_audience, _no_audience, _other_recipient, _other_issuer, _late_confirmation, _failed,
    ],
    ids=["expired", "not yet valid", "other audience", "no audience", "other recipient", "other issuer",
         "late confirmation", "failed"],
)  # fmt: skip
def test_a_signed_assertion_is_refused_when(idp: SamlIdp, mutate: Any) -> None:
    idp.mutate = mutate
    with pytest.raises(BadRequest):
        log_in(idp)


@pytest.mark.parametrize("signing", [None, "stranger", "institute"])
def test_an_assertion_that_its_issuer_did_not_sign_is_refused(idp: SamlIdp, signing: str | None) -> None:
    idp.signing = signing
    with pytest.raises(BadRequest):
        log_in(idp)


def _assertion(text: str) -> str:
    found = re.search(r"<(\w+:)?Assertion .*</(\w+:)?Assertion>", text, re.S)
    assert found is not None
    return found[0]


def _evil(assertion: str) -> str:
    """The assertion of somebody else, unsigned, under a new id."""
    bare = re.sub(r"<(\w+:)?Signature .*?</(\w+:)?Signature>", "", assertion, flags=re.S)
    bare = re.sub(r' ID="[^"]*"', ' ID="id-evil"', bare, count=1)
    return bare.replace("persistent-maria", "persistent-root")


def _changed(text: str) -> str:
    return text.replace("persistent-maria", "persistent-root")


def _signature_removed(text: str) -> str:
    return re.sub(r"<(\w+:)?Signature .*?</(\w+:)?Signature>", "", text, flags=re.S)


def _evil_before(text: str) -> str:
    good = _assertion(text)
    return text.replace(good, _evil(good) + good)


def _evil_after(text: str) -> str:
    good = _assertion(text)
    return text.replace(good, good + _evil(good))


def _good_inside_evil(text: str) -> str:
    good = _assertion(text)
    evil = _evil(good)
    end = evil.rindex("</")
    return text.replace(good, f"{evil[:end]}{good}{evil[end:]}")


def _good_in_extensions(text: str) -> str:
    good = _assertion(text)
    prefix = re.search(r"<(\w+):Response", text)
    assert prefix is not None
    wrapped = f"<{prefix[1]}:Extensions>{good}</{prefix[1]}:Extensions>"
    moved = text.replace(good, _evil(good))
    return re.sub(
        rf"(</\w+:Issuer>)(?=.*<{prefix[1]}:Status)", lambda m: m[1] + wrapped, moved, count=1, flags=re.S
    )


def _good_in_the_signature(text: str) -> str:
    good = _assertion(text)
    signature = re.search(r"<(\w+):Signature .*?</\w+:Signature>", good, re.S)
    assert signature is not None
    bare = good.replace(signature[0], "")
    end = signature[0].rindex("</")
    holder = f"{signature[0][:end]}<{signature[1]}:Object>{bare}</{signature[1]}:Object>{signature[0][end:]}"
    evil = _evil(good)
    place = (
        evil.index("</", evil.index("Issuer")) + evil[evil.index("</", evil.index("Issuer")) :].index(">") + 1
    )
    return text.replace(good, evil[:place] + holder + evil[place:])


def _same_id_twice(text: str) -> str:
    good = _assertion(text)
    identifier = re.search(r' ID="([^"]*)"', good)
    assert identifier is not None
    return text.replace(good, _evil(good).replace("id-evil", identifier[1]) + good)


@pytest.mark.parametrize(
    "rewrite",
    [
        _changed, _signature_removed, _evil_before, _evil_after, _good_inside_evil, _good_in_extensions,
        _good_in_the_signature, _same_id_twice,
    ],
)  # fmt: skip
def test_a_signature_covers_only_what_was_signed(idp: SamlIdp, rewrite: Any) -> None:
    rewritten: list[bool] = []

    def noted(text: str) -> str:
        changed = rewrite(text)
        rewritten.append(changed != text)
        return str(changed)

    idp.rewrite = noted
    with pytest.raises(BadRequest):
        log_in(idp)
    assert rewritten == [True]


def test_a_comment_does_not_cut_a_name(idp: SamlIdp) -> None:
    # Comments are not signed; a parser that stops at one would read another person's name.
    idp.rewrite = lambda text: text.replace("persistent-maria", "persistent-m<!-- -->aria")
    assert log_in(idp).identity.identifier == f"{idp.entity_id}!persistent-maria"


# -- single logout -----------------------------------------------------------------------------------------


def test_our_logout_ends_the_session_at_the_institution(idp: SamlIdp) -> None:
    found = log_in(idp)
    url = saml.logout_url(provider=found.entity_id, name_id=found.name_id, session_index=found.session_index)
    assert url is not None and url.startswith(f"{idp.url}/slo")
    idp.handle(url.removeprefix(idp.url))
    assert idp.logged_out == ["persistent-maria"]


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def test_the_institution_ends_sessions_with_a_signed_request(idp: SamlIdp) -> None:
    query = query_of(idp.logout_request(saml.url_of("sls"), session_index="s1"))
    found = saml.accept_logout_request(query=query)
    assert (found.entity_id, found.name_id, found.session_indexes) == (
        idp.entity_id, "persistent-maria", ("s1",),
    )  # fmt: skip
    assert found.answer_url.startswith(f"{idp.url}/slo") and "SAMLResponse=" in found.answer_url
    with pytest.raises(BadRequest):
        saml.accept_logout_request(query=query)


def test_an_unsigned_or_changed_logout_request_is_refused(
    idp: SamlIdp, idps: tuple[SamlIdp, SamlIdp]
) -> None:
    url = idp.logout_request(saml.url_of("sls"))
    other = query_of(idps[1].logout_request(saml.url_of("sls")))
    forged = [
        query_of(saml_idp.without(url, "Signature")),
        query_of(saml_idp.without(url, "Signature", "SigAlg")),
        {**query_of(url), "SAMLRequest": other["SAMLRequest"]},
        {**query_of(url), "RelayState": "x"},
        {**query_of(url), "SigAlg": "http://www.w3.org/2000/09/xmldsig#hmac-sha1"},
        {},
    ]
    for query in forged:
        with pytest.raises(BadRequest):
            saml.accept_logout_request(query=query)


# -- configuration -----------------------------------------------------------------------------------------


def test_a_missing_setting_is_named(settings: Any, idp: SamlIdp) -> None:
    settings.ASTAKOS_SAML_METADATA_FILES = []
    with pytest.raises(ImproperlyConfigured, match="ASTAKOS_SAML_METADATA_FILES"):
        saml.metadata()
    settings.ASTAKOS_SAML_METADATA_FILES = [str(Path("/nonexistent/idp.xml"))]
    with pytest.raises(ImproperlyConfigured, match="nonexistent"):
        saml.identity_providers()


# -- in the browser ----------------------------------------------------------------------------------------

UI = "/astakos/ui"


@pytest.fixture
def maria(make_user: MakeUser, idp: SamlIdp) -> User:
    user = make_user().row
    UserAuthProvider.objects.create(
        user=user, module="saml", identifier=f"{idp.entity_id}!persistent-maria", created=clock.now()
    )
    return user


def browse(client: Client, idp: SamlIdp, query: str = "") -> Any:
    """Log in as a browser does and return the answer of the last page."""
    asked = client.get(f"{UI}/login/saml?idp={idp.entity_id}{query}")
    form = saml_idp.visit(asked["Location"])
    # The institution's page posts from another site, so the session's cookie is not sent.
    accepted = Client().post(f"{UI}/login/saml/acs", {"SAMLResponse": form["SAMLResponse"]})
    assert accepted.status_code == 303
    return client.get(accepted["Location"])


def test_a_visitor_chooses_the_institution_and_comes_back(client: Client, maria: User, idp: SamlIdp) -> None:
    page = client.get(f"{UI}/login/saml?next={UI}/profile")
    assert page.status_code == 200 and b"University" in page.content and b"Institute" in page.content
    response = browse(client, idp, f"&next={UI}/profile")
    assert (response.status_code, response["Location"]) == (303, f"{UI}/profile")
    assert client.session["_auth_user_id"] == str(maria.pk)


def test_an_answer_opens_no_session_in_another_browser(client: Client, maria: User, idp: SamlIdp) -> None:
    asked = client.get(f"{UI}/login/saml?idp={idp.entity_id}")
    form = saml_idp.visit(asked["Location"])
    accepted = Client().post(f"{UI}/login/saml/acs", {"SAMLResponse": form["SAMLResponse"]})
    other = Client()
    assert other.get(accepted["Location"])["Location"].startswith(f"{UI}/login")
    assert "_auth_user_id" not in other.session
    client.get(accepted["Location"])
    assert "_auth_user_id" in client.session
    again = Client()
    assert again.get(f"{accepted['Location']}x")["Location"].startswith(f"{UI}/login")


def test_a_forged_answer_leads_to_the_login_page(client: Client, maria: User, idp: SamlIdp) -> None:
    response = client.post(f"{UI}/login/saml/acs", {"SAMLResponse": "PGEvPg=="})
    assert response.status_code == 303 and response["Location"].startswith(f"{UI}/login")
    assert client.post(f"{UI}/login/saml/acs").status_code == 303


def test_metadata_has_a_page(client: Client, idp: SamlIdp) -> None:
    response = client.get(f"{UI}/login/saml/metadata")
    assert response["Content-Type"] == "application/samlmetadata+xml"
    assert b"AssertionConsumerService" in response.content


@pytest.mark.parametrize("button", ["logout", "login/saml/logout"])
def test_logging_out_here_logs_out_there(client: Client, maria: User, idp: SamlIdp, button: str) -> None:
    browse(client, idp)
    response = client.post(f"{UI}/{button}")
    assert response.status_code == 200 and response["Refresh"].startswith(f"1; url={idp.url}")
    assert "_auth_user_id" not in client.session
    url = response["Refresh"].removeprefix("1; url=")
    assert html.escape(url) in response.content.decode()
    _status, headers, _body = idp.handle(url.removeprefix(idp.url))
    assert idp.logged_out == ["persistent-maria"]
    back = urlsplit(headers["Location"])
    assert client.get(f"{back.path}?{back.query}")["Location"] == f"{UI}/login"


def test_the_institution_ends_its_sessions_and_no_others(client: Client, maria: User, idp: SamlIdp) -> None:
    browse(client, idp)
    local = Client()
    local.post(f"{UI}/local", {"username": maria.email, "password": "a-password"})
    asked = urlsplit(idp.logout_request(saml.url_of("sls")))
    # In a frame of the institution's page, without our cookies.
    response = Client().get(f"{asked.path}?{asked.query}")
    assert response["Location"].startswith(f"{idp.url}/slo")
    assert client.get(f"{UI}/profile").status_code == 302
    assert local.get(f"{UI}/profile").status_code == 200


def test_a_key_that_was_replaced_is_used_from_then_on(idp: SamlIdp, settings, tmp_path: Path) -> None:
    files = (tmp_path / "own.crt", tmp_path / "own.key")
    settings.ASTAKOS_SAML_CERT_FILE, settings.ASTAKOS_SAML_KEY_FILE = map(str, files)
    for moment, name in enumerate(("service", "another")):
        for path, content in zip(files, self_signed(name), strict=True):
            path.write_bytes(content)
            os.utime(path, (moment, moment))
        assert saml._client().sec.sec_backend.key.private_numbers() == rsa_key(name).private_numbers()
