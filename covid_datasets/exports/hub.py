"""A dataset on the Hub of Hugging Face: an export is one commit, so that nobody ever sees half of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from covid_datasets.errors import DownloadError, words_of
from covid_datasets.exports.place import MANIFEST_FILE, manifest_text, ours, some, taken, working_in
from covid_datasets.extras import need

_URL = re.compile(
    r"hf://datasets/(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[^/]+))?(/(?P<folder>.+))?", re.ASCII | re.DOTALL
)
_OF_THE_HUB = frozenset({".gitattributes"})
"""What a dataset has from the moment when it is made."""


@dataclass(frozen=True, slots=True)
class HubPlace:
    """``hf://datasets/OWNER/NAME[@REVISION][/FOLDER]``; a dataset that is not there is made, for its owner alone."""

    url: str
    repo: str
    revision: str | None
    folder: str
    work: Path
    remote: bool = True

    @classmethod
    def of(cls, url: str, work: Path) -> HubPlace | None:
        """Tell a dataset on the Hub from every other URL.

        >>> place = HubPlace.of("hf://datasets/me/ct@draft/small", Path("work"))
        >>> place.repo, place.revision, place.folder
        ('me/ct', 'draft', 'small')
        """
        found = _URL.fullmatch(url)
        return found and cls(url, found["repo"], found["revision"], found["folder"] or "", work)

    def held(self) -> dict[str, Any] | None:
        """Return the manifest of the export that is there; nothing else may be."""
        api = self._api()
        from huggingface_hub.errors import RepositoryNotFoundError

        with self._told():
            try:
                names = api.list_repo_files(self.repo, repo_type="dataset", revision=self.revision)
            except RepositoryNotFoundError:
                return None
            names = [name.removeprefix(self._begin) for name in names if name.startswith(self._begin)]
            if MANIFEST_FILE in names:
                path = api.hf_hub_download(
                    self.repo, self._begin + MANIFEST_FILE, repo_type="dataset", revision=self.revision
                )
                return ours(self.url, json.loads(Path(path).read_text(encoding="utf-8")))
        if others := sorted(set(names) - _OF_THE_HUB):
            raise taken(self.url, some(others))
        return None

    def workspace(self, needed: int) -> AbstractContextManager[Path]:
        """Give a folder of the cache."""
        return working_in(self.work, self.url, needed)

    def publish(self, private: Path, manifest: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
        """Commit all files, and the removal of those of an older export."""
        api = self._api()
        (private / MANIFEST_FILE).write_bytes(manifest_text(manifest))
        gone = sorted(set(old["files"]) - set(manifest["files"])) if old else []
        with self._told():
            api.create_repo(self.repo, repo_type="dataset", private=True, exist_ok=True)
            api.upload_folder(
                repo_id=self.repo,
                repo_type="dataset",
                revision=self.revision,
                folder_path=private,
                path_in_repo=self.folder or None,
                delete_patterns=gone or None,
                commit_message=f"Export {manifest['export']['name']} as {manifest['export']['format']}",
            )

    @property
    def _begin(self) -> str:
        return f"{self.folder}/" if self.folder else ""

    def _api(self) -> Any:
        need("datasets")  # which brings it along
        from huggingface_hub import HfApi

        return HfApi()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:  # an answer of the client is one or the other
            raise DownloadError(
                f"{self.url}: the Hub did not take or answer it: {words_of(error)}. Nothing of it is visible. Next: "
                "check the name, and `hf auth login` for the key; then export again"
            ) from error
