"""Every operation that is asked of Shopify's Admin GraphQL API 2026-10, validated against the published schema."""

from __future__ import annotations

VERSION = "2026-10"

ORDER = """
query TowerOrder($id: ID!) {
  order(id: $id) {
    id currencyCode presentmentCurrencyCode
    transactions(first: 250) {
      id kind status gateway amountSet { shopMoney { amount currencyCode } } parentTransaction { id }
    }
    refunds(first: 250) {
      id note createdAt return { id } totalRefundedSet { shopMoney { amount currencyCode } }
      transactions(first: 50) {
        nodes { id kind status amountSet { shopMoney { amount currencyCode } } parentTransaction { id } }
      }
    }
    fulfillmentOrders(first: 50) {
      nodes { id status fulfillmentHolds { id handle heldByRequestingApp reasonNotes } }
    }
    returns(first: 100) { nodes { id status } }
    metafield(namespace: "control_tower", key: "log") { value compareDigest }
  }
}
"""

REFUND = """
mutation TowerRefund($input: RefundInput!, $key: String!) {
  refundCreate(input: $input) @idempotent(key: $key) { refund { id } userErrors { field message } }
}
"""

RETURN = """
mutation TowerReturn($input: ReturnProcessInput!) {
  returnProcess(input: $input) { return { id } userErrors { code field message } }
}
"""

HOLD = """
mutation TowerHold($id: ID!, $hold: FulfillmentOrderHoldInput!) {
  fulfillmentOrderHold(id: $id, fulfillmentHold: $hold) { fulfillmentHold { id } userErrors { code field message } }
}
"""

RELEASE = """
mutation TowerRelease($id: ID!, $holds: [ID!]!) {
  fulfillmentOrderReleaseHold(id: $id, holdIds: $holds) { fulfillmentOrder { id } userErrors { field message } }
}
"""

LOG = """
mutation TowerLog($metafields: [MetafieldsSetInput!]!) {
  metafieldsSet(metafields: $metafields) { metafields { id } userErrors { code field message } }
}
"""

ALL = (ORDER, REFUND, RETURN, HOLD, RELEASE, LOG)
