"""Where this tower keeps its state and whom it talks to: one typed object, read from TOWER_* variables."""

from __future__ import annotations

import os
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

Sender = Literal["shopify", "stripe", "woocommerce", "easypost", "aftership", "shippo"]
Secret = Annotated[SecretStr, Field(min_length=8)]


class Settings(BaseSettings):
    """The settings of one tower. Every state file lies under `home` unless a URL says otherwise."""

    model_config = SettingsConfigDict(env_prefix="TOWER_", frozen=True, extra="forbid")

    home: Path = Field(default=Path(".tower"), description="the one folder that holds all state")
    ledger_url: str | None = Field(default=None, description="SQLAlchemy URL of the ledger")
    shop_url: str | None = Field(default=None, description="SQLAlchemy URL of the embedded shop")
    artifacts_url: str | None = Field(default=None, description="fsspec URL of the kept artifacts")
    data: Path | None = Field(default=None, description="folder of public data for tests and demos")
    page_url: str = Field(default="http://127.0.0.1:4200", description="the Prefect UI, for links")
    slack_token: SecretStr | None = Field(default=None, description="bot token; without it, the console")
    slack_app_token: SecretStr | None = Field(default=None, description="app-level token; with it, Slack is a desk")
    slack_channel: str = Field(default="#control-tower", description="where digests and cases are posted")
    approver_key: SecretStr | None = Field(
        default=None,
        description="key that seals one-time codes' secrets and the journal; without it, one in the tower's folder",
    )
    authority: Path | None = Field(default=None, description="another file of written authority than the one shipped")
    policies: Path | None = Field(default=None, description="folder of what overrides the shipped policies")
    work_pools: Path | None = Field(
        default=None, description="another file of work pools than the one shipped, for `tower deploy` and `tower up`"
    )
    shops: Path | None = Field(default=None, description="file of the tower's shops; without it, sources name one shop")
    slack_api_url: str = Field(default="https://slack.com/api/", description="another API root, for tests")
    stripe_key: SecretStr | None = Field(
        default=None,
        description="key that may refund, or prefect:NAME of a Secret block; without it, no hands",
    )
    stripe_api_url: str | None = Field(default=None, description="another API root, for tests")
    hands: Literal["vendure", "medusa"] | None = Field(
        default=None, description="the store that acts on what folder sources tell of; without it, none does"
    )
    vendure_url: str | None = Field(default=None, description="Vendure's Admin API, as in https://shop/admin-api")
    vendure_key: SecretStr | None = Field(
        default=None, description="API key whose role reads and updates orders, or prefect:NAME of a Secret block"
    )
    medusa_url: str | None = Field(default=None, description="a Medusa shop, as in https://shop.example")
    medusa_key: SecretStr | None = Field(default=None, description="secret API key, or prefect:NAME of a Secret block")
    shopify_shop: str | None = Field(default=None, description="the shop, as in https://example.myshopify.com")
    shopify_token: SecretStr | None = Field(
        default=None, description="Admin API token that may refund and hold, or prefect:NAME of a Secret block"
    )
    hostile: int | None = Field(default=None, description="seed of a misbehaving embedded shop, for tests and demos")
    model: str | None = Field(default=None, description="a model by its litellm name; without it, templates")
    model_url: str | None = Field(default=None, description="where it is served, if not at its maker's")
    model_key: SecretStr | None = Field(default=None, description="the key of its provider")
    model_fallback: str | None = Field(default=None, description="a second model, asked where the first fails")
    model_fallback_url: str | None = Field(default=None, description="where that one is served")
    model_fallback_key: SecretStr | None = Field(default=None, description="the key of that one's provider")
    model_deadline: float = Field(default=20.0, gt=0, le=300, description="seconds for a case, over all tries")
    model_price_in: float = Field(default=10.0, ge=0, description="dollars a million tokens sent; dear unless told")
    model_price_out: float = Field(default=40.0, ge=0, description="dollars a million tokens received")
    model_dollars_a_day: float = Field(default=5.0, ge=0, description="the most that models may cost in a UTC day")
    model_dollars_a_lane: float = Field(default=2.0, ge=0, description="the most that one lane may cost in that day")
    model_cases_a_run: int = Field(default=50, ge=0, description="cases a look that a model reads, by priority")
    model_environment: tuple[str, ...] = Field(default=(), description="variables that the model's process may read")
    traces_url: str | None = Field(
        default=None,
        pattern=r"^https?://",
        description="OTLP/HTTP endpoint for traces, as in http://127.0.0.1:4318/v1/traces; without it, none leave",
    )
    metrics_port: int | None = Field(
        default=None, ge=0, le=65535, description="port on loopback where Prometheus reads; also beside `tower up`"
    )
    webhook_secrets: dict[Sender, tuple[Secret, ...]] = Field(
        default={}, description="who is heard, with the secrets that prove it, several while they are changed"
    )
    webhooks_host: str = Field(default="127.0.0.1", description="where webhooks are received; loopback unless told")
    webhooks_port: int | None = Field(
        default=None, ge=0, le=65535, description="port where webhooks are received; also beside `tower up`"
    )
    webhooks_folder: Path | None = Field(default=None, description="where they are kept, in a folder for each source")
    part_orders: int | None = Field(
        default=None, gt=0, description="about how many orders a lane looks at at a time; without it, at all together"
    )
    dask: str | None = Field(
        default=None,
        pattern=r"^([1-9]\d{0,3}|(tcp|tls|ws|wss|ucx)://.+)$",
        description="a Dask scheduler's address, or a number of processes, that parts are looked at on",
    )
    memory_limit: str = Field(default="2GB", description="memory that joins over evidence may use")

    @cached_property
    def folder(self) -> Path:
        """`home`, absolute and made."""
        folder = self.home.expanduser().resolve()
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def webhooks(self) -> Path:
        """The folder of what webhooks brought: of it, `shopify`, `stripe`, `woocommerce` and `tracking` are sources."""
        return self.webhooks_folder.expanduser().resolve() if self.webhooks_folder else self.folder / "webhooks"

    @property
    def ledger(self) -> str:
        """URL of the ledger's database."""
        return self.ledger_url or f"sqlite:///{self.folder / 'ledger.db'}"

    @property
    def shop(self) -> str:
        """URL of the embedded shop's database."""
        return self.shop_url or f"sqlite:///{self.folder / 'shop.db'}"

    @property
    def artifacts(self) -> str:
        """URL of the folder or bucket that keeps every step's inputs and outputs."""
        return self.artifacts_url or (self.folder / "artifacts").as_uri()


def settings() -> Settings:
    """The settings that the environment tells now, in an object of its own."""
    told = ((name, value) for name, value in os.environ.items() if name.upper().startswith("TOWER_"))
    return _read(tuple(sorted(told))).model_copy()


@lru_cache(maxsize=4)
def _read(told: tuple[tuple[str, str], ...]) -> Settings:
    """Every step asks, and reading them takes two milliseconds; so they are read again when they have changed."""
    return Settings()
