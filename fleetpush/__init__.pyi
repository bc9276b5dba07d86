from fleetpush.deploy.api import deploy as deploy
from fleetpush.deploy.api import deploy_async as deploy_async
from fleetpush.deploy.options import SshOptions as SshOptions
from fleetpush.deploy.progress import Event as Event
from fleetpush.deploy.results import HostResult as HostResult
from fleetpush.deploy.results import HostStatus as HostStatus
from fleetpush.deploy.results import RunReport as RunReport
from fleetpush.errors import FleetpushError as FleetpushError
from fleetpush.errors import InputError as InputError
from fleetpush.errors import UsageError as UsageError

__version__: str
