"""scratch: answers"""
from tests.contract.answered import *
from tests.contract.conftest import *
import asyncio, pytest, pytest_asyncio
