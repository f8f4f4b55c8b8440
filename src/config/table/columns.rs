//! The columns of SMILES and of names in a header.

/// Names of a column of SMILES, in order of preference; case, blanks, `_` and `-` are ignored.
const SMILES: [&str; 6] = [
    "smiles",
    "isomericsmiles",
    "canonicalsmiles",
    "connectivitysmiles",
    "smilesstring",
    "smi",
];
/// Names of a column of names, in order of preference; then any that ends in the word `name`, then
/// any that ends in `id`.
const NAMES: [&str; 8] = [
    "name", "title", "compound", "molecule", "id", "cid", "cas", "inchikey",
];

/// Name of a column in lower case, letters and digits only.
fn plain(column: &str) -> String {
    let letters = column.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

/// Index of the column of SMILES.
pub fn column_of_smiles(columns: &[String]) -> Option<usize> {
    let columns: Vec<String> = columns.iter().map(|column| plain(column)).collect();
    let known = SMILES
        .iter()
        .find_map(|known| columns.iter().position(|column| column == known));
    // `smiles_rdkit`, if there is but one of the kind.
    let mut alike = (0..columns.len()).filter(|index| columns[*index].contains("smiles"));
    known.or_else(|| alike.next().filter(|_| alike.next().is_none()))
}

/// Index of the column of names, which is not that of the SMILES.
pub fn column_of_names(columns: &[String], smiles: usize) -> Option<usize> {
    let position = |is_it: &dyn Fn(&str) -> bool| {
        (0..columns.len()).find(|index| *index != smiles && is_it(&columns[*index]))
    };
    let ends_in = |word: &'static str| {
        move |column: &str| {
            let column = column.trim().to_lowercase();
            let before = column
                .strip_suffix(word)
                .map(|before| before.chars().last());
            before.is_some_and(|last| last.is_some_and(|c| !c.is_alphanumeric()))
        }
    };
    let known = |wanted: &'static str| position(&|column| plain(column) == wanted);
    let (names, ids) = NAMES.split_at(4);
    let named = names.iter().find_map(|name| known(name));
    let named = named.or_else(|| position(&ends_in("name")));
    let named = named.or_else(|| ids.iter().find_map(|name| known(name)));
    named.or_else(|| position(&ends_in("id")))
}

/// The cells of a header line.
pub fn header_columns(header: &str, delimiter: char) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .delimiter(delimiter as u8)
        .trim(csv::Trim::All)
        .from_reader(header.as_bytes());
    let first = reader.records().next().and_then(Result::ok);
    let columns = first.iter().flat_map(|record| record.iter());
    columns
        .map(|column| column.trim_start_matches('#').to_owned())
        .collect()
}
