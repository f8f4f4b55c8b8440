"""Reads an export by the program that it is for, and prints what that found as JSON.

    python3 read_exports.py READER FILE
"""
import json
import sys


def table(frame):
    """Columns by name, as Python values; what is missing is None."""
    columns = {name: frame[name].to_list() for name in frame.columns}
    plain = lambda value: None if value is None or value != value else (
        value.isoformat() if hasattr(value, "isoformat") else value)
    return {name: [plain(value) for value in values] for name, values in columns.items()}


def pandas_csv(file):
    import pandas
    return table(pandas.read_csv(file))


def polars_csv(file):
    import polars
    return table(polars.read_csv(file, infer_schema_length=None))


def pandas_parquet(file):
    import pandas
    return table(pandas.read_parquet(file))


def polars_parquet(file):
    import polars
    return table(polars.read_parquet(file))


def parquet_units(file):
    """Units in the metadata of the file, and in that of its columns."""
    from pyarrow import parquet
    metadata = parquet.read_metadata(file)
    import polars
    assert polars.read_parquet_metadata(file)["units"] == metadata.metadata[b"units"].decode()
    kinds = {name: str(kind) for name, kind in zip(parquet.read_schema(file).names, parquet.read_schema(file).types)}
    return {"units": json.loads(metadata.metadata[b"units"]), "kinds": kinds, "groups": metadata.num_row_groups}


def rdkit_sdf(file):
    from rdkit import Chem
    found = []
    for molecule in Chem.SDMolSupplier(file, removeHs=False):
        assert molecule is not None
        conformer = molecule.GetConformer()
        Chem.AssignStereochemistryFrom3D(molecule)
        bare = Chem.RemoveHs(molecule)
        properties = molecule.GetPropsAsDict()
        found.append({
            "title": molecule.GetProp("_Name"),
            "smiles": Chem.MolToSmiles(bare),
            "expected": Chem.CanonSmiles(properties["smiles"]),
            "charge": Chem.GetFormalCharge(molecule),
            "is_3d": conformer.Is3D(),
            "positions": conformer.GetPositions().tolist(),
            "fields": {name: molecule.GetProp(name) for name in molecule.GetPropNames()},
        })
    return found


def qcelemental_qcschema(file):
    from qcelemental.models import AtomicResult
    found = []
    for line in open(file):
        record = AtomicResult(**json.loads(line))
        found.append({
            "name": record.molecule.name,
            "smiles": record.molecule.identifiers.smiles,
            "charge": record.molecule.molecular_charge,
            "multiplicity": record.molecule.molecular_multiplicity,
            "energy": record.return_result,
            "method": record.model.method,
            "engine": record.provenance.creator,
            "formula": record.molecule.get_molecular_formula(),
            "candidate": record.extras["moldflow"]["candidate"],
            # In angstrom.
            "xyz": record.molecule.to_string("xyz"),
        })
    return found


def colmena(file):
    """The way of the reference application: a database of energies by SMILES, and the times of tasks."""
    import pandas
    database, failed = {}, []
    for line in open(file):
        record = json.loads(line)
        (smiles,), _ = record["inputs"]
        if record["success"]:
            database[smiles] = record["value"]
        else:
            failed.append([smiles, record["failure_info"]["exception"]])
    frame = pandas.read_json(file, lines=True)
    done = frame[frame["success"]]
    runtime = done["time_result_received"] - done["time_compute_started"]
    # Those of answers of earlier runs are not there.
    assert ((runtime - done["time_running"]).abs().dropna() < 2e-3).all()
    assert (frame["time_created"] <= frame["time_result_received"]).all()
    return {"database": database, "failed": failed, "methods": sorted(set(frame["method"])),
            "topics": sorted(set(frame["topic"])), "info": frame["task_info"].to_list()}


if __name__ == "__main__":
    reader, path = sys.argv[1:]
    print(json.dumps(globals()[reader](path)))
