"""Tables in Markdown."""

from dl_shared.tables import markdown_table


def test_a_cell_holds_whatever_it_is_given():
    assert markdown_table(["name", "amount"], [["a|b", "1"]], left=1) == (
        "| name | amount |\n| --- | ---: |\n| a\\|b | 1 |\n"
    )
    assert markdown_table(["name"], []) == "| name |\n| --- |\n"
