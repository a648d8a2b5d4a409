from mainstay.model.finding import Family, Severity
from mainstay.rules.base import Example
from mainstay.rules.untrusted import UntrustedValue


class UntrustedValueInPath(UntrustedValue):
    """The requester names the file.

    A name with `../` in it, or an absolute one, leads out of the folder it was meant for. The
    requester reads the service's own settings and keys, or overwrites a file that runs later.

    Give files names of your own (an id) and keep the requester's as text; or resolve the whole path
    and refuse it unless it `is_relative_to` the folder.
    """

    severity = Severity.HIGH
    family = (Family.UNTRUSTED_INPUT,)
    since = "0.1"
    references = ("CWE-22", "CWE-73", "OWASP A01:2021")

    notices = "Nobody: the file system answers as for any other file."
    recovers = "Secrets that could be read have to be replaced, and the files of a clean deployment put back."
    costs = "Two lines; stored files get new names."

    sink = "path"
    cleared_by = "the path is resolved and found below its folder, or the name is the service's own"

    bad = (
        Example(
            {
                "shop/api.py": """
                    from fastapi import APIRouter, UploadFile
                    from shop import files

                    router = APIRouter()

                    @router.post("/evidence")
                    async def evidence(upload: UploadFile):
                        files.keep(upload.filename, await upload.read())
                """,
                "shop/files.py": """
                    from pathlib import Path

                    ROOT = Path("/srv/files")

                    def place(label: str) -> Path:
                        return ROOT / label

                    def keep(label, content):
                        place(label).write_bytes(content)  # <-
                """,
            },
            "The name of an upload is the requester's choice",
        ),
        Example(
            {
                "shop/views.py": """
                    import os
                    from flask import Blueprint, request, send_file

                    bp = Blueprint("shop", __name__)

                    @bp.route("/export")
                    def export():
                        return send_file(os.path.join("/srv/exports", request.args["name"]))  # <-
                """,
            },
            "Joining keeps the dots",
        ),
    )
    good = (
        Example(
            {
                "shop/api.py": """
                    from pathlib import Path
                    from uuid import UUID, uuid4
                    from fastapi import APIRouter, HTTPException, UploadFile
                    from fastapi.responses import FileResponse

                    router = APIRouter()
                    ROOT = Path("/srv/files")

                    @router.post("/evidence")
                    async def evidence(upload: UploadFile):
                        (ROOT / f"{uuid4()}.bin").write_bytes(await upload.read())
                        return {"label": upload.filename}

                    @router.get("/evidence/{evidence_id}")
                    def show(evidence_id: UUID):
                        return FileResponse(ROOT / f"{evidence_id}.bin")

                    @router.get("/manual")
                    def manual(page: str):
                        path = (ROOT / page).resolve()
                        if not path.is_relative_to(ROOT):
                            raise HTTPException(404)
                        return FileResponse(path)

                    @router.get("/logo")
                    def logo(name: str):
                        return FileResponse(ROOT / Path(name).name)
                """,
            },
            "Names of our own, an id, a path found below its folder, only the last part",
        ),
        Example(
            {
                "shop/views.py": """
                    from flask import Blueprint, abort, request, send_file
                    from werkzeug.utils import secure_filename

                    bp = Blueprint("shop", __name__)
                    EXPORTS = {"orders": "/srv/exports/orders.csv"}

                    @bp.route("/export")
                    def export():
                        return send_file(EXPORTS[request.args["name"]])

                    @bp.route("/upload", methods=["POST"])
                    def upload():
                        given = request.files["file"]
                        given.save("/srv/in/" + secure_filename(given.filename))
                        return ""

                    @bp.route("/page")
                    def page():
                        name = request.args["name"]
                        if ".." in name or name.startswith("/"):
                            abort(404)
                        return open("/srv/pages/" + name).read()
                """,
            },
            "Looked up, made secure, or looked through for dots",
        ),
    )
