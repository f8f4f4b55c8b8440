//! Reads pages: fields, tables, and whether a page is inert.

/// All that a page may consist of.
const ELEMENTS: &[&str] = &[
    "!DOCTYPE", "html", "head", "meta", "title", "style", "body", "header", "main", "nav",
    "section", "h1", "h2", "h3", "p", "a", "strong", "span", "dl", "dt", "dd", "div", "ol", "li",
    "table", "thead", "tbody", "tr", "th", "td", "code", "pre", "details", "summary", "button",
    "svg", "g", "path", "text", "circle",
];

/// Escaped text as a reader sees it.
pub fn text(html: &str) -> String {
    let entities = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#x60;", "`"),
        ("&#x3D;", "="),
        ("&amp;", "&"),
    ];
    let replaced = entities.iter();
    replaced.fold(html.to_owned(), |text, (from, to)| text.replace(from, to))
}

/// The text of the element with this id.
#[track_caller]
pub fn field(page: &str, id: &str) -> String {
    let (_, rest) = page.split_once(&format!("=\"{id}\">")).expect(id);
    text(rest.split_once("</").expect("its end").0)
}

/// The cells of the rows of the table with this id, its head left out.
pub fn table(page: &str, id: &str) -> Vec<Vec<String>> {
    let (_, rest) = page.split_once(&format!("<table id=\"{id}\">")).expect(id);
    let (_, rest) = rest.split_once("<tbody>").expect("a body");
    let (body, _) = rest.split_once("</tbody>").expect("its end");
    let cell = |cell: &str| {
        let (_, cell) = cell.rsplit_once("<td").expect("a cell");
        let (_, cell) = cell.split_once('>').expect("its beginning");
        text(&cell.replace("<code>", "").replace("</code>", ""))
    };
    let cells = |row: &str| {
        row.split("</td>")
            .filter(|c| c.contains("<td"))
            .map(cell)
            .collect()
    };
    body.split("</tr>")
        .filter(|row| row.contains("<tr>"))
        .map(cells)
        .collect()
}

/// Requires that every tag is one of ours, nothing is fetched, and no script runs but that of the page,
/// which is its last element.
#[track_caller]
pub fn assert_inert(page: &str) {
    let (page, script) = page.split_once("<script>").expect("the script");
    let end = script.split_once("</script>").expect("its end").1;
    assert_eq!(end, "\n</body>\n</html>\n");
    assert!(
        page.contains(
            "content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-"
        )
    );
    // Texts in which a URL may stand.
    let page = without(without(page.to_owned(), "campaign_text"), "site_text");
    for tag in page.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').expect("the end of a tag");
        let name = tag
            .trim_start_matches('/')
            .split([' ', '/'])
            .next()
            .unwrap();
        assert!(ELEMENTS.contains(&name), "<{tag}>");
        // Names and values of attributes take turns.
        let parts: Vec<&str> = tag.split('"').collect();
        for attribute in parts.chunks(2) {
            let name = attribute[0].rsplit(' ').next().unwrap();
            assert!(!name.starts_with("on"), "<{tag}>");
            assert!(name != "href=" || attribute[1].starts_with('#'), "<{tag}>");
        }
    }
    for word in ["://", "url(", "@import", " src=", "NaN", "inf "] {
        let found = page
            .find(word)
            .map(|at| &page[page.floor_char_boundary(at.saturating_sub(40))..at]);
        assert_eq!(found, None, "{word}");
    }
}

/// The page without the text of the element with this id.
fn without(page: String, id: &str) -> String {
    let Some((before, rest)) = page.split_once(&format!("id=\"{id}\">")) else {
        return page;
    };
    let (_, after) = rest.split_once("</pre>").expect("its end");
    format!(
        "{before}id=\"{id}\">{}",
        &after[after.find('<').unwrap_or(0)..]
    )
}
