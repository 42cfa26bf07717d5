"""What each role sees, and how forged requests are answered."""

from contextlib import closing
from typing import NamedTuple

import pytest
from playwright.sync_api import APIResponse, expect

from browser.people import APPROVER, MANAGER, OPERATOR, PEOPLE, SECOND_APPROVER, VIEWER
from browser.site_map import PAGES
from browser.visitors import SITES, Visitor, Visitors
from orderflow_contracts.access import Role
from orderflow_contracts.names import APPROVALS, ORDERS
from orderflow_tools.platform import Platform
from system.shop import Shop

EVERYBODY = (VIEWER, APPROVER, OPERATOR, MANAGER)


class FormOf(NamedTuple):
    """The fields of a form, with the role needed to submit it."""

    app: str
    path: str
    role: Role
    fields: dict[str, str]


FORMS = (
    FormOf(
        APPROVALS,
        "/inbox/requests/{order}/decision",
        Role.APPROVER,
        {"decision": "deny", "comment": "forged"},
    ),
    FormOf(
        APPROVALS,
        "/inbox/requests/{order}/confirm",
        Role.APPROVER,
        {"decision": "deny", "comment": "forged", "sure": "yes", "total_cents": "16500000"},
    ),
    FormOf(ORDERS, "/board/orders/{order}/cancel", Role.OPERATOR, {}),
    FormOf(ORDERS, "/board/orders/{order}/retry", Role.OPERATOR, {}),
    FormOf(ORDERS, "/board/new-order", Role.OPERATOR, {"order_id": "forged-order"}),
    FormOf(ORDERS, "/board/workflows/{order}/terminate", Role.OPERATOR, {}),
    FormOf(ORDERS, "/board/dead-letters/resend", Role.OPERATOR, {"numbers": "1"}),
    FormOf(
        ORDERS,
        "/board/dead-letters/discard",
        Role.OPERATOR,
        {"letter": "1", "discard_reason": "forged"},
    ),
    FormOf(ORDERS, "/board/dead-letters/1/resend", Role.OPERATOR, {}),
    FormOf(ORDERS, "/board/dead-letters/1/correct", Role.OPERATOR, {"payload": "{}"}),
    FormOf(ORDERS, "/board/dead-letters/1/discard", Role.OPERATOR, {"discard_reason": "forged"}),
    FormOf(APPROVALS, "/inbox/dead-letters/1/discard", Role.OPERATOR, {"discard_reason": "forged"}),
)


@pytest.mark.parametrize("name", EVERYBODY)
def test_each_page_requires_its_role(visitors: Visitors, name: str) -> None:
    """A page is shown completely, or the visitor is told that the role is missing."""
    visitor = visitors(name)
    visitor.forgive_status(403)
    for page in PAGES:
        may = page.role is Role.VIEWER or page.role in PEOPLE[name]

        response = visitor.go(page.app, page.path)

        assert response.status == (200 if may else 403), (name, page)
        heading = visitor.page.get_by_role("heading", level=1)
        expect(heading).to_have_text(page.heading if may else "Not allowed")


@pytest.mark.parametrize("name", EVERYBODY)
def test_the_menu_has_only_permitted_pages(visitors: Visitors, name: str) -> None:
    """Every entry leads to a page that opens."""
    visitor = visitors(name)
    for app in SITES:
        visitor.go(app)
        links = visitor.page.get_by_role("navigation", name="Main").get_by_role("link")
        urls = [links.nth(at).evaluate("link => link.href") for at in range(links.count())]

        statuses = {url: visitor.context.request.get(url).status for url in urls}

        assert len(urls) > 1
        assert set(statuses.values()) == {200}, statuses


@pytest.mark.parametrize("name", [VIEWER, OPERATOR])
def test_only_approvers_see_decision_buttons(visitors: Visitors, shop: Shop, name: str) -> None:
    """The inbox shows pending requests to everyone."""
    order_id = shop.submit("cars", 11)
    shop.wait_approval(order_id, "pending")
    approver, other = visitors(APPROVER), visitors(name)

    for visitor, buttons in ((approver, 1), (other, 0)):
        visitor.go(APPROVALS, f"/inbox/requests/{order_id}")
        expect(visitor.page.get_by_role("heading", level=1)).to_contain_text(order_id)
        expect(visitor.main.get_by_role("button", name="Approve")).to_have_count(buttons)
        expect(visitor.main.get_by_role("button", name="Deny")).to_have_count(buttons)
    shop.decide(order_id, approved=False)


@pytest.mark.parametrize("name", [VIEWER, APPROVER])
def test_only_operators_see_actions_on_orders(visitors: Visitors, shop: Shop, name: str) -> None:
    """The board shows orders to everyone."""
    order_id = shop.submit("cars", 11)
    shop.wait_status(order_id, "awaiting_approval")
    operator, other = visitors(OPERATOR), visitors(name)

    for visitor, ways in ((operator, 1), (other, 0)):
        visitor.go(ORDERS, f"/board/orders/{order_id}")
        expect(visitor.page.get_by_role("heading", level=1)).to_contain_text(order_id)
        assert _ways(visitor, "Cancel") == ways
        visitor.go(ORDERS)
        assert _ways(visitor, "Place an order") == ways
    shop.decide(order_id, approved=False)


@pytest.mark.parametrize("name", EVERYBODY)
def test_a_forged_form_does_nothing(
    visitors: Visitors, shop: Shop, waiting: str, name: str
) -> None:
    """Without the role or the form token, or from another site, it is refused."""
    visitor, other = visitors(name), visitors(SECOND_APPROVER)
    own = {app: _csrf(visitor, app) for app in SITES}
    others = {app: _csrf(other, app) for app in SITES}
    for form in FORMS:
        path = form.path.format(order=waiting)
        given = {**form.fields, "csrf": own[form.app]}

        refusals = [
            _post(visitor, form.app, path, form.fields),
            _post(visitor, form.app, path, {**given, "csrf": others[form.app]}),
            _post(visitor, form.app, path, given, origin="http://elsewhere.test"),
            _post(visitor, form.app, path, given, **{"sec-fetch-site": "same-site"}),
        ]
        if form.role not in PEOPLE[name]:
            refusals.append(_post(visitor, form.app, path, given))

        statuses = [refusal.status for refusal in refusals]
        assert statuses == [403] * len(refusals), (path, statuses)
    _assert_untouched(shop, waiting)


def test_get_requests_change_nothing(visitors: Visitors, shop: Shop, waiting: str) -> None:
    """A GET of a form's address shows a page or 404."""
    visitor = visitors(MANAGER)
    for form in FORMS:
        url = visitor.url(form.app, form.path.format(order=waiting))

        response = visitor.context.request.get(url, params={**form.fields})

        assert response.status in {200, 404, 405, 422}, url
    _assert_untouched(shop, waiting)


def _assert_untouched(shop: Shop, order_id: str) -> None:
    """Check that the order is still waiting, and that no order was forged."""
    order, approval = shop.order(order_id), shop.approval(order_id)
    assert order is not None
    assert approval is not None
    assert (order["status"], approval["status"]) == ("awaiting_approval", "pending")
    assert shop.order("forged-order") is None


@pytest.fixture(scope="module")
def waiting(platform: Platform) -> str:
    """Return the id of an order that waits for a decision."""
    with closing(Shop(platform)) as shop:
        shop.restock()
        order_id = shop.submit("cars", 11, "forger's victim")
        shop.wait_approval(order_id, "pending")
    return order_id


def _ways(visitor: Visitor, name: str) -> int:
    found = [visitor.main.get_by_role(role, name=name).count() for role in ("button", "link")]
    return sum(found)


def _csrf(visitor: Visitor, app: str) -> str:
    """Return the form token of a session."""
    visitor.go(app)
    return visitor.page.locator("input[name=csrf]").first.input_value()


def _post(
    visitor: Visitor, app: str, path: str, fields: dict[str, str], **headers: str
) -> APIResponse:
    url = visitor.url(app, path)
    headers = {"accept": "text/html", **headers}
    return visitor.context.request.post(url, form=fields, headers=headers, max_redirects=0)  # type: ignore[arg-type] # a form of texts
