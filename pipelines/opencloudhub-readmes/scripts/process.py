"""Publish the READMEs as they are, with an index of what each is from."""

from dreg.stages import here, readmes
from dreg.stages.documents import document_in, write_documents

work = here()


def read():
    """Path, bytes and origin of each README."""
    for one in readmes.documents(work):
        about = {
            "repository": one.repository,
            "path": one.path,
            "blob": one.blob,
            "commit": one.commit,
            "licence": one.licence,
        }
        yield f"readmes/{one.file}", document_in(work.raw / one.file), about


print(f"{write_documents(read(), work.processed):,} READMEs")
