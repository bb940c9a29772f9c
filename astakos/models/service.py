"""Components, the services they offer and where these are reached."""

from __future__ import annotations

from django.db import models


class Component(models.Model):
    """A part of the cloud with a token of its own, such as cyclades (identity contract 4.7)."""

    name = models.CharField(max_length=255)
    #: Where its pages are.
    url = models.CharField(max_length=1024, null=True)
    base_url = models.CharField(max_length=1024, null=True)
    auth_token = models.TextField(editable=False)
    auth_token_digest = models.CharField(max_length=64, editable=False)
    auth_token_created = models.DateTimeField()
    auth_token_expires = models.DateTimeField(null=True)

    class Meta:
        db_table = "astakos_component"
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(fields=["name"], name="astakos_component_name_uniq"),
            models.UniqueConstraint(fields=["auth_token_digest"], name="astakos_component_token_uniq"),
        ]

    def __str__(self) -> str:
        return self.name


class Service(models.Model):
    """One API or page tree of a component."""

    component = models.ForeignKey(Component, on_delete=models.CASCADE, related_name="services")
    name = models.CharField(max_length=255)
    type = models.CharField(max_length=255)

    class Meta:
        db_table = "astakos_service"
        ordering = ("id",)
        constraints = [models.UniqueConstraint(fields=["name"], name="astakos_service_name_uniq")]

    def __str__(self) -> str:
        return self.name


class Endpoint(models.Model):
    """One address of a service; its attributes are rows of ``EndpointData``."""

    service = models.ForeignKey(Service, on_delete=models.CASCADE, related_name="endpoints")

    class Meta:
        db_table = "astakos_endpoint"
        ordering = ("id",)

    def __str__(self) -> str:
        return f"endpoint {self.pk}"


class EndpointData(models.Model):
    """One attribute of an endpoint as the catalog shows it, such as ``publicURL``."""

    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="data")
    key = models.CharField(max_length=255)
    value = models.CharField(max_length=1024)

    class Meta:
        db_table = "astakos_endpoint_data"
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "key"], name="astakos_endpoint_data_key_uniq")
        ]

    def __str__(self) -> str:
        return f"{self.key}={self.value}"
