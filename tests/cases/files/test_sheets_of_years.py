"""A workbook with a sheet for each year, and months without a year in it."""

from pathlib import Path

import openpyxl
import pytest

from tests.cases.case_site import CaseSite, meter


def workbook(path: Path, *years: int) -> Path:
    """Write months down and buildings across, with units, a total, and numbers typed as text."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for year in years:
        sheet = book.create_sheet(f"{year}年")
        sheet.append([f"行政中心{year}年用电抄表记录"])
        sheet.append(["月份", "总进线", "食堂"])
        sheet.append(["", "万kWh", "kWh"])
        for month in range(1, 13):
            sheet.append([f"{month}月", 1.2, f"{2510 + year % 10:,}"])
        sheet.append(["合计", 14.4, "30,120"])
    book.save(path)
    return path


@pytest.fixture
def site(tmp_path: Path) -> CaseSite:
    meters = meter("e-a", "rated_max = 400.0", name="总进线")
    return CaseSite(
        tmp_path, meters + meter("e-b", "rated_max = 60.0", 'parent = "e-a"', name="食堂")
    )


def test_each_sheet_is_read_in_the_year_of_its_name(site: CaseSite) -> None:
    site.load(workbook(site.folder / "能耗.xlsx", 2024, 2025), "--kind", "interval")
    for year in (2024, 2025):
        assert site.figure("electricity", year)["value"] == pytest.approx(144_000)


def test_a_year_that_is_said_holds_for_the_sheet_that_is_read(site: CaseSite) -> None:
    file = workbook(site.folder / "能耗.xlsx", 2024, 2025)
    site.load(file, "--kind", "interval", "--sheet", "2025年", "--year", "2023")
    assert site.figure("electricity", 2023)["value"] == pytest.approx(144_000)
