"""The web page, in a real headless browser."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import httpx
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from serving.models.release_document import ReleasedVersion
from serving.stores.artifacts.local import FolderArtifactStore
from tests.pipelines.scored_world import release_small_model
from tests.serving.support import SETTINGS, a_home, a_service, publish, release, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selenium.webdriver.chrome.webdriver import WebDriver

PATIENCE_SECONDS = 20
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="the page was not looked at: install chromium and its driver"
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with a real model, and a challenger at 30 %."""
    home = a_home(tmp_path_factory.mktemp("page") / "home")
    store = FolderArtifactStore(home / "store")
    champion = ReleasedVersion("2", release_small_model(store, "2"))
    release(store, champion, ReleasedVersion("3", publish(store, "3", 0.4)), weight=0.3)
    with running_server(a_service(home, SETTINGS)) as url:
        yield url


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    profile = tmp_path_factory.mktemp("profile")
    for argument in ("--headless=new", "--no-sandbox", f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield driver
    driver.quit()


def text_of(browser: WebDriver, name: str, holds: str) -> str:
    """Return the text of a part of the page, once it holds something."""

    def found(_: WebDriver) -> str | bool:
        text = browser.find_element(By.ID, name).text
        return text if holds in text else False

    text = WebDriverWait(browser, PATIENCE_SECONDS).until(
        found, message=f"{name} does not show {holds}"
    )
    return str(text)


def test_it_shows_models_rollout_and_history_live(browser: WebDriver, address: str) -> None:
    # Given the page, Then it shows both models with their shares
    browser.get(address)
    models = text_of(browser, "models", "challenger")
    assert "70 %" in models
    assert "30 %" in models
    # And a prediction that another client requests appears without a reload
    flight = {
        "carrier": "B6",
        "flight_number": 77,
        "origin": "JFK",
        "destination": "SFO",
        "scheduled_departure": "2013-12-30T18:30",
        "scheduled_arrival": "2013-12-30T22:21",
    }
    assert httpx.post(f"{address}/model/predict", json=flight).is_success
    text_of(browser, "history", "B6-77-2013123023")


def test_a_flight_is_predicted_with_its_reasons(browser: WebDriver, address: str) -> None:
    # Given the page, When its form is submitted unchanged
    browser.get(address)
    browser.find_element(By.CSS_SELECTOR, "#ask button").click()
    # Then the probability is shown with its reasons as text, and is in the history
    answer = text_of(browser, "answer", "Main reasons")
    assert "version" in answer
    assert "path attribution" in answer
    text_of(browser, "history", "UA-389-2013123023")
    # And an impossible flight is refused with the reason
    field = browser.find_element(By.NAME, "destination")
    field.clear()
    field.send_keys("XXX")
    browser.find_element(By.CSS_SELECTOR, "#ask button").click()
    assert "'XXX' is not one of" in text_of(browser, "answer", "XXX")


def test_nothing_on_it_fails_and_nothing_else_is_loaded(browser: WebDriver, address: str) -> None:
    browser.get(address)
    text_of(browser, "models", "champion")
    # Given all that it loaded, Then it came from this server, and the console is empty
    loaded = browser.execute_script(
        "return performance.getEntriesByType('resource').map((each) => each.name)"
    )
    assert all(name.startswith((address, "data:")) for name in loaded), loaded
    lines = browser.get_log("browser")  # type: ignore[no-untyped-call] # selenium does not type it
    severe = [line for line in lines if line["level"] == "SEVERE"]
    assert [line for line in severe if "422" not in line["message"]] == []  # the one expected above
    # And it is small and soon there
    assert len(httpx.get(address).content) < 16_000
    assert browser.execute_script("return performance.timing.domInteractive") > 0


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_the_documentation_is_rendered_from_this_server(
    browser: WebDriver, address: str, path: str
) -> None:
    # Given Swagger UI or ReDoc, Then it shows the operations
    browser.get(address + path)
    WebDriverWait(browser, PATIENCE_SECONDS).until(
        lambda _: "Will this flight be late?" in browser.find_element(By.TAG_NAME, "body").text
    )
    # And nothing came from another host: ReDoc requests one image, which the policy blocks
    loaded = browser.execute_script(
        "return performance.getEntriesByType('resource').filter((each) => each.transferSize > 0)"
        ".map((each) => each.name)"
    )
    assert all(name.startswith(address) for name in loaded), loaded
