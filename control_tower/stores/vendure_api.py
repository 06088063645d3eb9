"""Every operation that is asked of Vendure's Admin API; each is validated in tests against a server's own schema."""

from __future__ import annotations

ORDER = """
query TowerOrder($code: String!) {
  orders(options: {filter: {code: {eq: $code}}, take: 2}) {
    items {
      id code state currencyCode
      payments { id state amount refunds { id total state reason createdAt } }
      fulfillments { id state method trackingCode createdAt lines { orderLineId quantity } }
      customFields { towerLog }
    }
  }
}
"""

REFUND = """
mutation TowerRefund($input: RefundOrderInput!) {
  refundOrder(input: $input) { __typename ... on Refund { id state } ... on ErrorResult { errorCode message } }
}
"""

FULFIL = """
mutation TowerFulfil($input: FulfillOrderInput!) {
  addFulfillmentToOrder(input: $input) {
    __typename ... on Fulfillment { id state } ... on ErrorResult { errorCode message }
  }
}
"""

MOVE = """
mutation TowerMove($id: ID!, $state: String!) {
  transitionFulfillmentToState(id: $id, state: $state) {
    __typename ... on Fulfillment { id state } ... on ErrorResult { errorCode message }
  }
}
"""

LOG = """
mutation TowerLog($input: UpdateOrderInput!) {
  setOrderCustomFields(input: $input) { __typename id }
}
"""

ALL = (ORDER, REFUND, FULFIL, MOVE, LOG)
